<?php

/** What the server remembers between requests: files in a directory. */
class State
{
    private array $locks = [];

    public function __construct(private string $directory) {}

    public function path(string $name): string
    {
        $path = $this->directory . '/' . $name;
        if (!str_contains($name, '.') && !file_exists($path) && in_array($name, ['uploads', 'trash', 'checksums', 'locks', 'chunking'])) {
            @mkdir($path);
        }
        return $path;
    }

    public function has(string $name): bool
    {
        return file_exists($this->directory . '/' . $name);
    }

    public function number(string $name): ?int
    {
        return $this->has($name) ? (int)file_get_contents($this->directory . '/' . $name) : null;
    }

    /** Locks a name until the request ends. */
    public function lock(string $name): void
    {
        if (isset($this->locks[$name])) return;
        $file = fopen($this->path('locks') . '/' . sha1($name), 'c');
        if (!flock($file, LOCK_EX | LOCK_NB)) {
            throw new \Sabre\DAV\Exception\Locked();
        }
        $this->locks[$name] = $file;
    }

    /** The next fault that is ordered for a request, taken off the list. */
    public function takeFault(string $method, string $uri): ?array
    {
        $path = $this->directory . '/faults.json';
        if (!file_exists($path)) return null;
        $file = fopen($path, 'c+');
        flock($file, LOCK_EX);
        $faults = json_decode(stream_get_contents($file), true) ?? [];
        $taken = null;
        foreach ($faults as $i => $fault) {
            if ($fault['method'] !== $method || !preg_match('~' . $fault['path'] . '~', $uri)) continue;
            $taken = $fault;
            if (($faults[$i]['times'] = ($fault['times'] ?? 1) - 1) <= 0) array_splice($faults, $i, 1);
            break;
        }
        if ($taken) {
            ftruncate($file, 0);
            rewind($file);
            fwrite($file, json_encode($faults));
        }
        fclose($file);
        return $taken;
    }
}
