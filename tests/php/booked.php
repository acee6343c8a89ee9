<?php
// SPDX-License-Identifier: MIT
// The endpoint of the soak of outages: sleeps for as long as the workload says, and books a line when it begins and one when
// it has done so. A line is one write to a file that is opened to append, so lines of many processes stay whole.

$job = json_decode(file_get_contents('php://input'), true, 8, JSON_THROW_ON_ERROR);
$run = bin2hex(random_bytes(8));

function book(string $what): void
{
    global $job, $run;
    $line = [$what, $run, sprintf('%.6f', microtime(true)), $job['function_name'], $job['unique'], $job['job_handle'],
        $_SERVER['HTTP_X_SENDER'], $_SERVER['HTTP_DRIVESHAFT_ATTEMPT'], explode('-', $_SERVER['HTTP_TRACEPARENT'])[1]];
    file_put_contents($_GET['book'], implode(' ', $line) . "\n", FILE_APPEND);
}

book('begin');
usleep((int) ((float) $job['workload'] * 1e6));
book('end');
header('Content-Type: application/json');
echo json_encode(['gearman_ret' => 0, 'response_string' => $run], JSON_THROW_ON_ERROR);
