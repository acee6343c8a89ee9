<?php
// SPDX-License-Identifier: MIT
// The endpoint of the tests. The query may name another function to run (`run`), and a file that gets one line
// of JSON a request (`record`), written before the job runs; `delay`: seconds before it runs.

function request_fields(): array
{
    if (!str_starts_with($_SERVER['CONTENT_TYPE'] ?? '', 'application/json')) {
        return $_POST;
    }
    $fields = json_decode(file_get_contents('php://input'), true, 8, JSON_THROW_ON_ERROR);
    if (($fields['workload_encoding'] ?? '') === 'base64') {
        $fields['workload'] = base64_decode($fields['workload'], true);
    }
    return $fields;
}

function succeed(string $text): array
{
    return ['gearman_ret' => 0, 'response_string' => $text];
}

function wait_for(string $file): array
{
    for ($tries = 0; $tries < 12000 && !file_exists($file); ++$tries) {
        usleep(5000);
        clearstatcache(true, $file);
    }
    return succeed('waited');
}

function sleep_for(string $seconds): array
{
    usleep((int) ((float) $seconds * 1e6));
    return succeed('slept');
}

// A deployment that is broken as long as the file is there.
function broken_while(string $file): array
{
    clearstatcache(true, $file);
    if (file_exists($file)) {
        http_response_code(500);
        exit('PHP Fatal error: a bad deployment');
    }
    return succeed('whole');
}

function warn(): array
{
    ini_set('display_errors', '1');
    trigger_error('the cache is old', E_USER_WARNING);
    return [];
}

function without_database(): array
{
    error_log('no database at db.example');
    http_response_code(500);
    exit();
}

// As a job that crashes PHP.
function die_and_say_so(string $file): never
{
    file_put_contents($file, "run\n", FILE_APPEND | LOCK_EX);
    posix_kill(getmypid(), 9);
    exit();
}

function run_job(string $function, array $job): array
{
    $workload = $job['workload'];
    return match ($function) {
        'echo' => succeed($workload),
        'reverse' => succeed(strrev($workload)),
        'sum' => succeed((string) array_sum(json_decode($workload))),
        'base64' => succeed(base64_encode($workload)),
        'digest' => succeed(strlen($workload) . ' ' . hash('sha256', $workload)),
        'sleep' => sleep_for($workload),
        'wait_for' => wait_for($workload),
        'die and say so' => die_and_say_so($workload),
        'fail_with_text' => ['gearman_ret' => 1, 'response_string' => $workload],
        'pid' => succeed((string) getmypid()),
        'log' => error_log($workload) ? succeed('logged') : ['gearman_ret' => 1],
        'fail' => ['gearman_ret' => 1],
        'about' => succeed(json_encode($job + ['server' => $_SERVER], JSON_THROW_ON_ERROR)),
        'broken_while' => broken_while($workload),
        'die' => posix_kill(getmypid(), 9),
        'crash' => throw new Exception('a job that throws'),
        'bom' => ['prints' => print("\xEF\xBB\xBF")] + succeed($workload),
        'debug' => ['prints' => print("debug\n")] + succeed($workload),
        'warning' => warn() + succeed($workload),
        'no_database' => without_database(),
        'print_nothing' => exit(),
        default => ['gearman_ret' => 1, 'response_string' => "no such function: $function"],
    };
}

$job = request_fields();
if (isset($_GET['record'])) {
    $line = json_encode(['time' => microtime(true), 'function' => $job['function_name'],
        'unique' => $job['unique'], 'handle' => $job['job_handle'], 'type' => $_SERVER['CONTENT_TYPE'],
        'workload' => substr($job['workload'], 0, 100)], JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR);
    // One write to a file that is opened to append: it stays whole without a lock, for which a php-fpm that is reloaded may
    // not let it wait (EINTR).
    file_put_contents($_GET['record'], $line . "\n", FILE_APPEND);
}
usleep((int) (1e6 * (float) ($_GET['delay'] ?? 0)));
$answer = run_job($_GET['run'] ?? $job['function_name'], $job);
header('Content-Type: application/json');
echo json_encode($answer, JSON_THROW_ON_ERROR);
