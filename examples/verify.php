<?php
// SPDX-License-Identifier: MIT
//
// Refuses requests that Driveshaft did not sign (signing_secret_file in its jobs file). Copy it beside your endpoint,
// and begin that with
//
//     require __DIR__ . '/verify.php';
//     driveshaft_require_signature(['whsec_…']);
//
// where the array has the secret, or while it is exchanged the old one and the new one. The signature is one of the
// Standard Webhooks specification, so a library for that does as well.
//
// PHP keeps the body of a "multipart" request to itself: use "json" or "urlencoded", or set enable_post_data_reading
// to Off, and take the fields out of the body yourself.

declare(strict_types=1);

// Why the request is refused, or null if it is good. $headers are by lower-case name. $tolerance is how many seconds
// the clocks may differ and a request may travel: what is older may be a repetition by somebody who listened.
function driveshaft_refusal(array $headers, string $body, array $secrets, int $now, int $tolerance = 300): ?string
{
    $id = $headers['webhook-id'] ?? '';
    $timestamp = $headers['webhook-timestamp'] ?? '';
    $signatures = $headers['webhook-signature'] ?? '';
    if ($id === '' || $timestamp === '' || $signatures === '') {
        return 'the request is not signed';
    }
    if (!preg_match('/^\d{1,12}$/D', $timestamp) || abs($now - (int) $timestamp) > $tolerance) {
        return 'the timestamp is too old or too new';
    }
    foreach ($secrets as $secret) {
        $key = base64_decode(preg_replace('/^whsec_/', '', trim($secret)), true);
        if ($key === false || strlen($key) < 24) {
            throw new InvalidArgumentException('a secret is whsec_ and base64 of at least 24 bytes');
        }
        $good = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
        foreach (explode(' ', $signatures) as $signature) {
            if (hash_equals($good, $signature)) {  // takes as long whatever differs
                return null;
            }
        }
    }
    return 'no signature is right';
}

// Answers 401 and ends, unless the request that PHP runs is good.
function driveshaft_require_signature(array $secrets, int $tolerance = 300): void
{
    $headers = [];
    foreach (['webhook-id', 'webhook-timestamp', 'webhook-signature'] as $name) {
        $headers[$name] = $_SERVER['HTTP_' . strtoupper(strtr($name, '-', '_'))] ?? '';
    }
    $refusal = driveshaft_refusal($headers, file_get_contents('php://input'), $secrets, time(), $tolerance);
    if ($refusal !== null) {
        http_response_code(401);
        header('Content-Type: text/plain');
        exit("$refusal\n");
    }
}
