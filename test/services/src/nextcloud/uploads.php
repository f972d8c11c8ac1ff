<?php

use Sabre\DAV;

/** apps/dav/lib/Upload/UploadHome.php */
class UploadHome extends DAV\Collection
{
    public function __construct(private string $path, private State $state, private string $name) {}

    public function getName()
    {
        return $this->name;
    }

    public function createDirectory($name)
    {
        if (!@mkdir($this->path . '/' . $name)) throw new DAV\Exception\MethodNotAllowed('The resource you tried to create already exists');
    }

    public function getChild($name)
    {
        if (!is_dir($this->path . '/' . $name)) throw new DAV\Exception\NotFound('No upload ' . $name);
        return new UploadFolder($this->path . '/' . $name, $this->state);
    }

    public function getChildren()
    {
        return array_map(fn($name) => $this->getChild($name), array_values(array_diff(scandir($this->path), ['.', '..'])));
    }
}

/** apps/dav/lib/Upload/UploadFolder.php */
class UploadFolder extends DAV\Collection
{
    public function __construct(private string $path, private State $state) {}

    public function getName()
    {
        return basename($this->path);
    }

    public function createDirectory($name)
    {
        throw new DAV\Exception\Forbidden('Permission denied to create file (filename ' . $name . ')');
    }

    public function createFile($name, $data = null)
    {
        return (new UploadFile($this->path . '/' . $name, $this->state))->put($data);
    }

    public function getChild($name)
    {
        if ($name === '.file') return new FutureFile($this);
        if (!file_exists($this->path . '/' . $name)) throw new DAV\Exception\NotFound('No chunk ' . $name);
        return new UploadFile($this->path . '/' . $name, $this->state);
    }

    public function childExists($name)
    {
        return $name === '.file' || file_exists($this->path . '/' . $name);
    }

    public function getChildren()
    {
        return [new FutureFile($this), ...$this->chunks()];
    }

    /** In the order of their names. */
    public function chunks(): array
    {
        $names = array_diff(scandir($this->path), ['.', '..']);
        usort($names, 'strnatcmp');
        return array_map(fn($name) => new UploadFile($this->path . '/' . $name, $this->state), $names);
    }

    public function delete()
    {
        foreach (glob($this->path . '/*') as $chunk) unlink($chunk);
        rmdir($this->path);
        @unlink($this->state->path('chunking') . '/' . $this->getName());
    }
}

class UploadFile extends FilesFile
{
    public function get()
    {
        throw new DAV\Exception\MethodNotAllowed('Reading intermediate uploads is not allowed');
    }

    public function open()
    {
        return fopen($this->path, 'rb');
    }

    public function delete()
    {
        unlink($this->path);
    }
}

/** apps/dav/lib/Upload/FutureFile.php */
class FutureFile extends DAV\File
{
    public function __construct(public UploadFolder $folder) {}

    public function getName()
    {
        return '.file';
    }

    public function getSize()
    {
        return array_sum(array_map(fn($chunk) => $chunk->getSize(), $this->folder->chunks()));
    }

    public function get()
    {
        throw new DAV\Exception\MethodNotAllowed('Reading intermediate uploads is not allowed');
    }

    /** All chunks, one after the other. */
    public function assemble()
    {
        $whole = tmpfile();
        foreach ($this->folder->chunks() as $chunk) stream_copy_to_stream($chunk->open(), $whole);
        rewind($whole);
        return $whole;
    }
}
