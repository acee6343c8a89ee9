<?php
// SPDX-License-Identifier: MIT
// What a shop writes that runs its queue by itself: one job at a time, the endpoint called with php-curl.
// php worker.php PORT FUNCTION URI one-handle|a-handle-a-job
// Most code opens a curl handle for each job, and so a connection; with one handle the connection is kept.
[, $port, $function, $uri, $handles] = $argv;

function open_handle(string $uri): CurlHandle
{
    $curl = curl_init($uri);
    curl_setopt_array($curl, [
        CURLOPT_RETURNTRANSFER => true, CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Expect:']]);
    return $curl;
}

$kept = $handles === 'one-handle' ? open_handle($uri) : null;

$worker = new GearmanWorker();
$worker->addServer('127.0.0.1', (int) $port);
$worker->addFunction($function, function (GearmanJob $job) use ($kept, $uri) {
    $curl = $kept ?? open_handle($uri);
    curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode([
        'function_name' => $job->functionName(), 'job_handle' => $job->handle(),
        'unique' => $job->unique(), 'workload' => $job->workload()]));
    $answer = json_decode((string) curl_exec($curl), true);
    if (($answer['gearman_ret'] ?? 1) !== 0) {
        $job->sendFail();
        return null;
    }
    return $answer['response_string'];
});
while ($worker->work());
