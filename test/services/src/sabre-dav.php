<?php

/**
 * sabre/dav as its own example sets it up: a directory, with Basic authentication and locks.
 * Its settings come from the environment: DAV_ROOT, DAV_BASE, DAV_STATE, DAV_USER, DAV_PASSWORD.
 */

require_once 'Sabre/autoload.php';

class OneUser extends \Sabre\DAV\Auth\Backend\AbstractBasic
{
    protected function validateUserPass($username, $password)
    {
        return $username === getenv('DAV_USER') && $password === getenv('DAV_PASSWORD');
    }
}

$server = new \Sabre\DAV\Server(new \Sabre\DAV\FS\Directory(getenv('DAV_ROOT')));
$server->setBaseUri(getenv('DAV_BASE'));
$server->addPlugin(new \Sabre\DAV\Auth\Plugin(new OneUser(), 'backups'));
$server->addPlugin(new \Sabre\DAV\Locks\Plugin(new \Sabre\DAV\Locks\Backend\File(getenv('DAV_STATE') . '/locks')));
$server->exec();
