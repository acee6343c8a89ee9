<?php
// SPDX-License-Identifier: MIT
//
// A client as any other: it talks to gearmand and knows nothing of Driveshaft.
//
//     php examples/client.php HOST:PORT                a few jobs of each kind, for the functions of job.php
//     php examples/client.php HOST:PORT burst COUNT    COUNT jobs at once, and how long they took
//
// Needs the extension php-gearman. Exits 1 when a result is not the right one.

declare(strict_types=1);

[, $server, $mode, $count] = $argv + [null, '127.0.0.1:4730', 'tour', '1000'];

function connect(string $server): GearmanClient
{
    $client = new GearmanClient();
    $client->addServers($server);
    $client->setTimeout(30_000);  // milliseconds without a sign from gearmand
    return $client;
}

/** Says what came back, and stops when it is not what was expected. */
function check(string $what, ?string $got, string $expected): void
{
    printf("%-34s %s\n", $what, $got ?? '(nothing)');
    if ($got !== $expected) {
        fwrite(STDERR, "expected: $expected\n");
        exit(1);
    }
}

/**
 * Runs one job in the foreground and tells how it ended. This takes a task: doNormal() returns '' for a job that failed,
 * returnCode() is GEARMAN_WORK_FAIL, and why it failed is not to be had.
 */
function run(GearmanClient $client, string $function, string $workload): string
{
    $ended = 'no answer';
    $why = '';
    $client->setCompleteCallback(function (GearmanTask $task) use (&$ended) { $ended = $task->data(); });
    // The text of a failure comes as a warning, just before the failure itself.
    $client->setWarningCallback(function (GearmanTask $task) use (&$why) { $why = ': ' . $task->data(); });
    $client->setFailCallback(function () use (&$ended, &$why) { $ended = "failed$why"; });
    $client->addTask($function, $workload);
    if (!$client->runTasks()) {
        $ended = $client->error();
    }
    $client->clearCallbacks();
    return $ended;
}

/** Submits jobs whose results nobody waits for, then watches gearmand until it has none of them left. */
function run_in_background(GearmanClient $client, string $function, array $workloads): string
{
    $handles = array_map(fn ($workload) => $client->doBackground($function, $workload), $workloads);
    $deadline = microtime(true) + 30;
    do {
        $handles = array_filter($handles, fn ($handle) => $client->jobStatus($handle)[0]);  // [0]: known to gearmand
    } while ($handles && microtime(true) < $deadline);
    return $handles ? count($handles) . ' still queued' : 'all done';
}

function tour(GearmanClient $client): void
{
    check('Sum [1,2,3]', run($client, 'Sum', '[1,2,3]'), '6');
    check('Reverse "driveshaft"', run($client, 'Reverse', 'driveshaft'), 'tfahsevird');
    check('Divide [1,0]', run($client, 'Divide', '[1,0]'), 'failed: Division by zero');
    $sums = array_map(fn ($n) => "[$n,1]", range(1, 20));
    check('20 × Sum, in the background', run_in_background($client, 'Sum', $sums), 'all done');
}

function burst(GearmanClient $client, int $count): void
{
    $right = 0;
    $client->setCompleteCallback(function (GearmanTask $task) use (&$right) {
        $right += (int) ((int) $task->data() === 2 * (int) $task->unique());
    });
    for ($i = 0; $i < $count; ++$i) {
        $client->addTask('Sum', "[$i,$i]", null, (string) $i);
    }
    $start = hrtime(true);
    $client->runTasks();
    $seconds = (hrtime(true) - $start) / 1e9;
    printf("%s of %s results right, %.2f s, %s jobs/s\n", number_format($right), number_format($count), $seconds,
        number_format($count / $seconds));
    if ($right !== $count) {
        exit(1);
    }
}

$client = connect($server);
$mode === 'burst' ? burst($client, (int) $count) : tour($client);
