<?php
// SPDX-License-Identifier: MIT
//
// An endpoint for Driveshaft: copy it, put your functions into the table, serve it with PHP-FPM behind nginx
// (php -S will do for a try) and name its address as job_processing_uri in the jobs file.
//
// Driveshaft sends one POST for each job. With "request_format": "json", the default, its body is
//
//     {"function_name": "Sum", "job_handle": "H:localhost:6", "unique": "57a7b604-…", "workload": "[1,2]"}
//
// and with "multipart" or "urlencoded" the same four are form fields, which PHP puts into $_POST. This file takes all
// three. The answer is an object with
//
//     gearman_ret       0: the job is done. Any other whole number ≥ 1: it failed.
//     response_string   text: the result for the client, or why the job failed.
//
// Anything else (a status other than 2xx, a body that is not this object, no answer within max_running_time) fails
// the job too. Whoever can reach this file can run your functions: let it listen where only Driveshaft can come, or have
// requests signed, and refuse others with verify.php. `driveshaft probe` tries an endpoint out.

declare(strict_types=1);

// The functions: from gearmand's name to a callable. Each is given the workload, the bytes that the client submitted,
// and the whole job, should it want its handle or unique. It returns the result as a string, and throws to fail.
$functions = [
    'Sum' => function (string $workload): string {
        $numbers = json_decode($workload, true, flags: JSON_THROW_ON_ERROR);
        if (!is_array($numbers) || array_filter($numbers, fn ($n) => !is_int($n) && !is_float($n))) {
            throw new InvalidArgumentException("Sum wants a JSON array of numbers, got $workload");
        }
        return json_encode(array_sum($numbers), JSON_THROW_ON_ERROR);
    },
    'Reverse' => fn (string $workload): string => strrev($workload),
    'Divide' => function (string $workload): string {
        [$dividend, $divisor] = json_decode($workload, true, flags: JSON_THROW_ON_ERROR);
        return (string) ($dividend / $divisor);  // throws DivisionByZeroError
    },
];

// A warning printed into the body would spoil the answer: throw instead, and let PHP's log have the rest.
ini_set('display_errors', '0');
set_error_handler(function (int $level, string $message, string $file, int $line): bool {
    if (!(error_reporting() & $level)) {
        return false;  // silenced by @
    }
    throw new ErrorException($message, 0, $level, $file, $line);
});

function read_job(): array
{
    $is_json = str_starts_with($_SERVER['CONTENT_TYPE'] ?? '', 'application/json');
    $job = $is_json ? json_decode(file_get_contents('php://input'), true, flags: JSON_THROW_ON_ERROR) : $_POST;
    foreach (['function_name', 'job_handle', 'unique', 'workload'] as $field) {
        if (!is_string($job[$field] ?? null)) {
            throw new InvalidArgumentException("the request has no \"$field\"");
        }
    }
    // JSON text cannot carry arbitrary bytes: a workload that is not UTF-8 comes as base64, and says so.
    if (($job['workload_encoding'] ?? '') === 'base64') {
        $job['workload'] = base64_decode($job['workload'], true);
    }
    return $job;
}

$flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;
try {
    $job = read_job();
    $function = $functions[$job['function_name']]
        ?? throw new DomainException("this endpoint has no function \"{$job['function_name']}\"");
    // The result is JSON text and so must be UTF-8: encode binary results (base64, say) in your function. One that is
    // not fails the job.
    $answer = json_encode(['gearman_ret' => 0, 'response_string' => $function($job['workload'], $job)], $flags);
} catch (Throwable $e) {
    error_log((string) $e);
    $flags |= JSON_INVALID_UTF8_SUBSTITUTE;  // the message may show a piece of the workload
    $answer = json_encode(['gearman_ret' => 1, 'response_string' => $e->getMessage()], $flags);
}

header('Content-Type: application/json');
echo $answer;
