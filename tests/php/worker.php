<?php
// SPDX-License-Identifier: MIT
// A worker made of php-gearman, which shows that the tests' own client reads gearmand rightly:
// worker.php HOST PORT. Functions: reverse, fail, throw.

$worker = new GearmanWorker();
$worker->addServer($argv[1], (int) $argv[2]);
$worker->addFunction('reverse', fn (GearmanJob $job) => strrev($job->workload()));
$worker->addFunction('fail', function (GearmanJob $job) {
    $job->sendFail();
});
$worker->addFunction('throw', function (GearmanJob $job) {
    $job->sendException($job->workload());
});
while ($worker->work());
