<?php
// SPDX-License-Identifier: MIT
// A client made of php-gearman: client.php HOST PORT MODE FUNCTION [ARGUMENT]; prints one line of JSON.
//   run WORKLOAD        one foreground job: {code, data}
//   serialized JSON     one foreground job whose workload and result are serialize()d: {code, data}
//   exceptions WORKLOAD the same for a client that asks for exceptions: {code, data}
//   stream WORKLOAD     one foreground job and all that it tells: {events: [[name, text] …]}
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
    case 'stream':
        $shown = fn (string $bytes) => preg_match('//u', $bytes) ? $bytes : 'hex ' . bin2hex($bytes);
        $note = function (string $name, callable $text) use (&$answer) {
            return function (GearmanTask $task) use ($name, $text, &$answer) {
                $answer['events'][] = [$name, $text($task)];
                return GEARMAN_SUCCESS;
            };
        };
        $client->setStatusCallback($note('status', fn ($task) => $task->taskNumerator() . '/' . $task->taskDenominator()));
        $client->setDataCallback($note('data', fn ($task) => $shown($task->data())));
        $client->setWarningCallback($note('warning', fn ($task) => $task->data()));
        $client->setCompleteCallback($note('complete', fn ($task) => $task->data()));
        $client->setFailCallback($note('fail', fn ($task) => ''));
        $client->addTask($function, $argument);
        $client->runTasks();
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
