<?php

// See README.md. One process answers one request; all state is in files below DAV_STATE.

require_once 'Sabre/autoload.php';
require_once __DIR__ . '/state.php';
require_once __DIR__ . '/files.php';
require_once __DIR__ . '/uploads.php';
require_once __DIR__ . '/plugins.php';

use Sabre\DAV;

// Nextcloud goes on when its client has gone.
ignore_user_abort(true);
set_time_limit(0);

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$state = new State(getenv('DAV_STATE'));

function answer(int $status, ?array $json = null): void
{
    http_response_code($status);
    if ($json === null) return;
    header('Content-Type: application/json; charset=utf-8');
    echo json_encode($json);
}

function ocs(array $data): array
{
    return ['ocs' => ['meta' => ['status' => 'ok', 'statuscode' => 200, 'message' => 'OK'], 'data' => $data]];
}

if ($path === '/status.php') {
    answer(200, [
        'installed' => true,
        'maintenance' => $state->has('maintenance'),
        'needsDbUpgrade' => false,
        'version' => '31.0.5.1',
        'versionstring' => '31.0.5',
        'edition' => '',
        'productname' => 'Nextcloud',
        'extendedSupport' => false,
    ]);
    return;
}
if ($state->has('maintenance')) {
    header('X-Nextcloud-Maintenance-Mode: 1');
    header('Retry-After: 120');
    answer(503);
    return;
}

$limit = $state->number('body-limit');
if ($limit !== null && (int)($_SERVER['CONTENT_LENGTH'] ?? 0) > $limit) {
    answer(413);
    return;
}

$isKnown = in_array($_SERVER['PHP_AUTH_USER'] ?? '', [getenv('NC_USER'), getenv('NC_LOGIN')], true);
$isRight = in_array($_SERVER['PHP_AUTH_PW'] ?? '', [getenv('NC_PASSWORD'), getenv('NC_APP_PASSWORD')], true);
if (!$isKnown || !$isRight) {
    header('WWW-Authenticate: Basic realm="Nextcloud", charset="UTF-8"');
    answer(401);
    return;
}
if (str_starts_with($path, '/ocs/')) {
    // Against requests that a browser was talked into.
    if (($_SERVER['HTTP_OCS_APIREQUEST'] ?? '') !== 'true') {
        answer(412);
    } elseif ($path === '/ocs/v2.php/cloud/user') {
        answer(200, ocs(['id' => getenv('NC_USER'), 'display-name' => 'Tester', 'enabled' => true]));
    } elseif ($path === '/ocs/v2.php/cloud/capabilities') {
        $chunked = $state->number('chunk-limit');
        $files = ['bigfilechunking' => true] + ($chunked === null ? [] : ['chunked_upload' => ['max_size' => $chunked, 'max_parallel_count' => 5]]);
        $capabilities = ['dav' => ['chunking' => '1.0', 'bulkupload' => '1.0'], 'files' => $files];
        answer(200, ocs(['version' => ['major' => 31], 'capabilities' => $capabilities]));
    } else {
        answer(404);
    }
    return;
}

$user = getenv('NC_USER');
$base = str_starts_with($path, '/remote.php/webdav') ? '/remote.php/webdav/' : '/remote.php/dav/';
$home = new FilesDirectory(getenv('DAV_ROOT'), $state, $user);
$root = $base === '/remote.php/webdav/' ? $home : new DAV\SimpleCollection('root', [
    new DAV\SimpleCollection('files', [$home]),
    new DAV\SimpleCollection('uploads', [new UploadHome($state->path('uploads'), $state, $user)]),
]);
$server = new DAV\Server(new RenamingTree($root));
$server->setBaseUri($base);
foreach ([new Faults($state), new Quota($home), new Chunking($state), new FileLocks($state), new Checksums($state)] as $plugin) {
    $server->addPlugin($plugin);
}
$server->exec();
