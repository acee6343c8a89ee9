<?php
// SPDX-License-Identifier: MIT
// job.php behind examples/verify.php; the query names the file of the secrets.
require __DIR__ . '/../../examples/verify.php';
driveshaft_require_signature(file($_GET['secrets'], FILE_IGNORE_NEW_LINES | FILE_SKIP_EMPTY_LINES));
require __DIR__ . '/job.php';
