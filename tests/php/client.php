<?php
// SPDX-License-Identifier: MIT
// A client made of php-gearman: client.php HOST PORT MODE FUNCTION [ARGUMENT]; prints one line of JSON.
//   run WORKLOAD        one foreground job: {code, data}
//   serialized JSON     one foreground job whose workload and result are serialize()d: {code, data}
//   exceptions WORKLOAD the same for a client that asks for exceptions: {code, data}
//   reverse COUNT       COUNT foreground tasks at once, each must come back reversed: {right, wrong, failed}
//   background COUNT    COUNT background jobs: {code}

[, $host, $port, $mode, $function] = $argv;
$argument = $argv[5] ?? '';

$client = new GearmanClient();
$client->addServer($host, (int) $port);
$client->setTimeout(60000);
$answer = [];

switch ($mode) {
    case 'exceptions':
        $client->setExceptionCallback(function (GearmanTask $task) use (&$answer) {
            $answer['exception'] = $task->data();
            return GEARMAN_SUCCESS;
        });
        $client->setFailCallback(function (GearmanTask $task) use (&$answer) {
            $answer['failed'] = true;
            return GEARMAN_SUCCESS;
        });
        $client->addTask($function, $argument);
        $client->runTasks();
        $answer['code'] = $client->returnCode();
        break;
    case 'run':
        $answer['data'] = $client->doNormal($function, $argument);
        $answer['code'] = $client->returnCode();
        break;
    case 'serialized':
        $result = $client->doNormal($function, serialize(json_decode($argument, true)));
        $answer = ['code' => $client->returnCode(), 'data' => $result ? unserialize($result) : null];
        break;
    case 'reverse':
        $answer = ['right' => 0, 'wrong' => 0, 'failed' => 0];
        $expected = [];
        $client->setCompleteCallback(function (GearmanTask $task) use (&$answer, &$expected) {
            ++$answer[$task->data() === $expected[$task->unique()] ? 'right' : 'wrong'];
        });
        $client->setFailCallback(function (GearmanTask $task) use (&$answer) {
            ++$answer['failed'];
        });
        for ($i = 0; $i < (int) $argument; ++$i) {
            $unique = 'php-' . getmypid() . "-$i";
            $expected[$unique] = strrev("php job $i");
            $client->addTask($function, "php job $i", null, $unique);
        }
        $client->runTasks();
        break;
    case 'background':
        for ($i = 0; $i < (int) $argument; ++$i) {
            $client->doBackground($function, "php job $i", 'php-' . getmypid() . "-$i");
        }
        $answer['code'] = $client->returnCode();
        break;
}
echo json_encode($answer, JSON_THROW_ON_ERROR), "\n";
