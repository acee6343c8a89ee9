<?php
// SPDX-License-Identifier: MIT
// The usual alternative to an endpoint: a worker that does the work itself, one job at a time.
// php worker_itself.php PORT FUNCTION
// The work is that of the script in fastcgi.py, and so is the answer.
[, $port, $function] = $argv;

$worker = new GearmanWorker();
$worker->addServer('127.0.0.1', (int) $port);
$worker->addFunction($function, function (GearmanJob $job) {
    // What the script gets as JSON, a worker has at hand.
    [$job->functionName(), $job->handle(), $job->unique(), $job->workload()];
    return (string) array_sum([1, 2]);
});
while ($worker->work());
