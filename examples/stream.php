<?php
// SPDX-License-Identifier: MIT
//
// An endpoint that tells how its job fares while it runs: each line of its answer is sent on to the client at once.
// The workload is a number of parts; each is some data, and the last word is their sum.

declare(strict_types=1);

header('Content-Type: application/x-ndjson');
header('X-Accel-Buffering: no');  // nginx holds a response back otherwise
while (ob_get_level() > 0) {
    ob_end_flush();
}

/** Sends one line now. */
function say(array $line): void
{
    echo json_encode($line, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
    flush();
}

$job = $_POST ?: json_decode(file_get_contents('php://input'), true, 512, JSON_THROW_ON_ERROR);
$parts = (int) $job['workload'];
$sum = 0;
for ($part = 1; $part <= $parts; ++$part) {
    $sum += $part;
    say(['data' => "part $part", 'status' => [$part, $parts]]);
}
say(['data_base64' => base64_encode("\x00\xff")]);  // bytes that are not UTF-8
if ($parts === 0) {
    say(['warning' => 'there was nothing to do']);
}
say(['gearman_ret' => 0, 'response_string' => (string) $sum]);
