<?php

use Sabre\DAV;

/** apps/dav/lib/Connector/Sabre/Directory.php */
class FilesDirectory extends DAV\FS\Directory
{
    private const REFUSED = '~(\.part|\.filepart|^\.htaccess)$~i';

    public function __construct(string $path, private State $state, private ?string $shownAs = null)
    {
        parent::__construct($path);
    }

    public function getName()
    {
        return $this->shownAs ?? parent::getName();
    }

    public function getChild($name)
    {
        $path = $this->path . '/' . $name;
        if (!file_exists($path)) throw new DAV\Exception\NotFound('File with name ' . $name . ' could not be located');
        return is_dir($path) ? new FilesDirectory($path, $this->state) : new FilesFile($path, $this->state);
    }

    public function getChildren()
    {
        $names = array_filter(scandir($this->path), fn($name) => $name !== '.' && $name !== '..' && !preg_match('~\.ocTransferId\d+\.part$~', $name));
        return array_values(array_map(fn($name) => $this->getChild($name), $names));
    }

    public function createDirectory($name)
    {
        self::checkName($name);
        // Of two at once, one finds it there.
        if (!@mkdir($this->path . '/' . $name)) throw new DAV\Exception\MethodNotAllowed('The resource you tried to create already exists');
    }

    public function createFile($name, $data = null)
    {
        self::checkName($name);
        $file = new FilesFile($this->path . '/' . $name, $this->state);
        return $file->put($data);
    }

    public function delete()
    {
        throw new DAV\Exception\Forbidden('The tests never delete a collection: something is wrong');
    }

    /** What is stored, in bytes, against the quota. */
    public function getQuotaInfo()
    {
        $quota = $this->state->number('quota');
        // SPACE_UNLIMITED
        if ($quota === null) return [0, -3];
        $used = self::usedBelow($this->path);
        return [$used, max(0, $quota - $used)];
    }

    private static function usedBelow(string $path): int
    {
        $used = 0;
        foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator($path, FilesystemIterator::SKIP_DOTS)) as $file) {
            // It may have been moved away meanwhile.
            $used += (int)@filesize($file->getPathname());
        }
        return $used;
    }

    public static function checkName(string $name): void
    {
        if (preg_match(self::REFUSED, $name)) throw new DAV\Exception\BadRequest('"' . $name . '" is a forbidden file name');
    }
}

/** apps/dav/lib/Connector/Sabre/File.php */
class FilesFile extends DAV\FS\File
{
    public function __construct(string $path, private State $state)
    {
        parent::__construct($path);
    }

    public function put($data)
    {
        $part = $this->path . '.ocTransferId' . random_int(1, PHP_INT_MAX) . '.part';
        $target = fopen($part, 'wb');
        $count = 0;
        $hash = hash_init('sha256');
        if (is_resource($data)) {
            while (!feof($data)) {
                $piece = fread($data, 1 << 20);
                if ($piece === false) break;
                hash_update($hash, $piece);
                $count += fwrite($target, $piece);
            }
        }
        fclose($target);
        $expected = $_SERVER['CONTENT_LENGTH'] ?? null;
        if ($expected && $_SERVER['REQUEST_METHOD'] === 'PUT' && $count !== (int)$expected) {
            unlink($part);
            throw new DAV\Exception\BadRequest("Expected filesize of $expected bytes but read (from Nextcloud client) and wrote (to Nextcloud storage) $count bytes.");
        }
        $wanted = $_SERVER['HTTP_X_HASH'] ?? '';
        if (in_array($wanted, ['sha256', 'all'], true) && !$this->state->has('no-hash')) header('X-Hash-SHA256: ' . hash_final($hash));
        // A disk or a memory that changes a byte, when a test wants it.
        if ($this->state->has('damage') && $count > 0) {
            $file = fopen($part, 'r+');
            $byte = fread($file, 1);
            rewind($file);
            fwrite($file, chr(ord($byte) ^ 1));
            fclose($file);
        }
        rename($part, $this->path);
        $checksum = trim($_SERVER['HTTP_OC_CHECKSUM'] ?? '');
        file_put_contents($this->state->path('checksums') . '/' . fileinode($this->path), $checksum);
        clearstatcache();
        return $this->getETag();
    }

    public function get()
    {
        return fopen($this->path, 'rb');
    }

    public function getETag()
    {
        $stat = stat($this->path);
        return '"' . md5($stat['ino'] . '-' . $stat['mtime'] . '-' . $stat['size']) . '"';
    }

    public function getChecksum(): string
    {
        $path = $this->state->path('checksums') . '/' . fileinode($this->path);
        return file_exists($path) ? file_get_contents($path) : '';
    }

    /** apps/files_trashbin/lib/Storage.php */
    public function delete()
    {
        if (($_SERVER['HTTP_X_NC_SKIP_TRASHBIN'] ?? '') === 'true') unlink($this->path);
        else rename($this->path, $this->state->path('trash') . '/' . basename($this->path) . '.d' . hrtime(true));
    }

    public function renameTo(string $directory, string $name): void
    {
        FilesDirectory::checkName($name);
        rename($this->path, $directory . '/' . $name);
    }
}

/** A file's move is one rename, across directories too. */
class RenamingTree extends DAV\ObjectTree
{
    public function move($sourcePath, $destinationPath)
    {
        $source = $this->getNodeForPath($sourcePath);
        [$directory, $name] = DAV\URLUtil::splitPath($destinationPath);
        $parent = $this->getNodeForPath($directory);
        if (!$source instanceof FilesFile || !$parent instanceof FilesDirectory) return parent::move($sourcePath, $destinationPath);
        // FS\Node keeps its path to itself.
        $path = (fn() => $this->path)->call($parent);
        $source->renameTo($path, $name);
        $this->markDirty($sourcePath);
        $this->markDirty($destinationPath);
    }
}
