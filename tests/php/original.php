<?php
// SPDX-License-Identifier: MIT
// An endpoint as they were written for the original Driveshaft: the job comes in $_POST, arguments and result are
// serialize()d.

function run_job(string $function, string $workload): mixed
{
    return match ($function) {
        'Sum' => array_sum(unserialize($workload)),
        'ShopStats' => ['arguments' => unserialize($workload), 'text' => "caf\u{e9} \0\x01 \"\\/", 'rate' => 0.1],
        'Newsfeed' => throw new DomainException('no such feed'),
        'Slow' => sleep(5),
    };
}

try {
    // What a load of jobs sends is no PHP data.
    $result = $_POST['function_name'] === 'reverse' ? strrev($_POST['workload'])
        : serialize(run_job($_POST['function_name'], $_POST['workload']));
    $answer = ['gearman_ret' => 0, 'response_string' => $result];
} catch (DomainException $e) {
    $answer = ['gearman_ret' => 24, 'response_string' => $e->getMessage()]; // GEARMAN_WORK_FAIL
} catch (UnhandledMatchError $e) {
    http_response_code(500);
    exit;
}
echo json_encode($answer, JSON_THROW_ON_ERROR);
