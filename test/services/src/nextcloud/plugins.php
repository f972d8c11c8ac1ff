<?php

use Sabre\DAV;

/** What goes wrong by order: {"method", "path", "status", "work": "none" | "before" | "after", "delayMs", "times"}. */
class Faults extends DAV\ServerPlugin
{
    public function __construct(private State $state) {}

    public function initialize(DAV\Server $server)
    {
        $server->subscribeEvent('beforeMethod', function ($method, $uri) use ($server) {
            $fault = $this->state->takeFault($method, $uri);
            if (!$fault) return true;
            $work = $fault['work'] ?? 'none';
            if ($work === 'before') {
                // The work is done, and another answer is heard of it.
                ob_start();
                register_shutdown_function(function () use ($fault) {
                    while (ob_get_level() > 0) ob_end_clean();
                    http_response_code($fault['status']);
                });
                return true;
            }
            http_response_code($fault['status']);
            header('Content-Length: 0');
            header('Connection: close');
            flush();
            if ($work === 'none') exit();
            // The proxy has answered; we go on.
            if ($method === 'MOVE') $this->state->lock($uri);
            usleep(1000 * ($fault['delayMs'] ?? 0));
            ob_start(fn() => '');
            return true;
        }, 1);
    }
}

/** apps/dav/lib/Connector/Sabre/QuotaPlugin.php */
class Quota extends DAV\ServerPlugin
{
    public function __construct(private FilesDirectory $home) {}

    public function initialize(DAV\Server $server)
    {
        $server->subscribeEvent('beforeMethod', function ($method, $uri) use ($server) {
            $header = fn($name) => $server->httpRequest->getHeader($name);
            $isUpload = str_starts_with($uri, 'uploads/');
            if ($method === 'MKCOL' && !$isUpload) $this->check(4096);
            if ($method !== 'PUT') return true;
            if ($isUpload) {
                if ($header('Destination') && is_numeric($header('OC-Total-Length'))) $this->check((int)$header('OC-Total-Length'));
            } else {
                $this->check(max((int)$header('Content-Length'), (int)$header('OC-Total-Length'), (int)$header('X-Expected-Entity-Length')));
            }
            return true;
        }, 20);
    }

    public function check(int $length): void
    {
        [, $free] = $this->home->getQuotaInfo();
        if ($free >= 0 && $length > $free) throw new DAV\Exception\InsufficientStorage("Insufficient space, $length required, $free available");
    }
}

/** apps/dav/lib/Upload/ChunkingPlugin.php and ChunkingV2Plugin.php */
class Chunking extends DAV\ServerPlugin
{
    private const LEAST_CHUNK = 5 * 1024 * 1024;

    private DAV\Server $server;

    public function __construct(private State $state) {}

    public function initialize(DAV\Server $server)
    {
        $this->server = $server;
        $server->subscribeEvent('beforeMethod', function ($method, $uri) {
            if (!preg_match('~^uploads/[^/]+/([^/]+)(?:/([^/]+))?$~', trim($uri, '/'), $match)) return true;
            $id = $match[1];
            $name = $match[2] ?? null;
            $destination = $this->server->httpRequest->getHeader('Destination');
            $isV2 = $destination && !$this->state->has('no-cache');
            $memory = $this->state->path('chunking') . '/' . $id;
            if ($method === 'MKCOL' && $name === null && $isV2) file_put_contents($memory, $destination);
            if ($method === 'PUT' && $name !== null && $isV2) {
                if (!file_exists($memory)) throw new DAV\Exception\PreconditionFailed('Missing metadata for chunked upload');
                if (!is_numeric($name) || (int)$name < 1 || (int)$name > 10000) {
                    throw new DAV\Exception\BadRequest('Invalid chunk name, must be numeric between 1 and 10000');
                }
                // Of what goes straight to where it is kept, PHP sees no hash.
                unset($_SERVER['HTTP_X_HASH']);
            }
            if ($method === 'MOVE' && $name === '.file') {
                $this->move($uri, $destination, $isV2 && file_exists($memory));
                return false;
            }
            return true;
        }, 30);
    }

    private function move(string $uri, string $destination, bool $isV2): void
    {
        $this->state->lock($uri);
        $file = $this->server->tree->getNodeForPath($uri);
        $total = $this->server->httpRequest->getHeader('OC-Total-Length');
        $size = $file->getSize();
        if ($total !== null && (string)$total !== (string)$size) {
            throw new DAV\Exception\BadRequest("Chunks on server do not sum up to $total but to $size bytes");
        }
        if ($isV2) {
            foreach (array_slice($file->folder->chunks(), 0, -1) as $chunk) {
                if ($chunk->getSize() < self::LEAST_CHUNK) throw new DAV\Exception('EntityTooSmall');
            }
            unset($_SERVER['HTTP_X_HASH'], $_SERVER['HTTP_OC_CHECKSUM']);
        }
        $info = $this->server->getCopyAndMoveInfo();
        foreach ($this->server->getPlugins() as $plugin) if ($plugin instanceof Quota) $plugin->check($size);
        [$directory, $name] = DAV\URLUtil::splitPath($info['destination']);
        $this->server->tree->getNodeForPath($directory)->createFile($name, $file->assemble());
        $file->folder->delete();
        $this->server->httpResponse->setHeader('Content-Length', '0');
        $this->server->httpResponse->sendStatus($info['destinationExists'] ? 204 : 201);
    }
}

/** What two write at once, only one does. */
class FileLocks extends DAV\ServerPlugin
{
    public function __construct(private State $state) {}

    public function initialize(DAV\Server $server)
    {
        $server->subscribeEvent('beforeMethod', function ($method, $uri) use ($server) {
            if (!str_starts_with($uri, 'files/')) return true;
            if (in_array($method, ['PUT', 'DELETE', 'MOVE'], true)) $this->state->lock($uri);
            if ($method === 'MOVE') $this->state->lock($server->calculateUri($server->httpRequest->getHeader('Destination')));
            return true;
        }, 40);
    }
}

/** apps/dav/lib/Connector/Sabre/ChecksumList.php, FilesPlugin.php */
class Checksums extends DAV\ServerPlugin
{
    private const PROPERTY = '{http://owncloud.org/ns}checksums';

    public function __construct(private State $state) {}

    public function initialize(DAV\Server $server)
    {
        $server->xmlNamespaces['http://owncloud.org/ns'] = 'oc';
        $server->subscribeEvent('afterGetProperties', function ($path, &$properties, $node) {
            if (!array_key_exists(self::PROPERTY, $properties[404] ?? [])) return;
            $checksum = $node instanceof FilesFile ? $node->getChecksum() : '';
            if ($checksum === '') return;
            unset($properties[404][self::PROPERTY]);
            $properties[200][self::PROPERTY] = new ChecksumList($checksum);
        });
    }
}

class ChecksumList extends DAV\Property
{
    public function __construct(private string $checksum) {}

    public function serialize(DAV\Server $server, \DOMElement $prop)
    {
        $element = $prop->ownerDocument->createElement('oc:checksum');
        $element->appendChild($prop->ownerDocument->createTextNode($this->checksum));
        $prop->appendChild($element);
    }
}
