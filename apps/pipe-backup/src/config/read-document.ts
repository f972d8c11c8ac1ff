import { open } from 'node:fs/promises'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { unwrapApplication } from './application-document.ts'
import { type ConfigDocument, describePath } from './config-document.ts'
import { ConfigError } from './config-error.ts'

/** Nobody writes a configuration by hand that is larger; a mistaken --config of a disk image is. */
const MAX_CONFIG_BYTES = 16 * 1024 * 1024

/** A configuration file as it was read: unchecked. */
export interface ReadConfig {
  readonly document: ConfigDocument
  readonly source: string
  /** True when somebody besides the owner may read the file. */
  readonly readableByOthers: boolean
}

/**
 * Reads a configuration file by its extension: `.json` and `.jsonc`, `.ts` (its default export), anything else as YAML.
 * @throws ConfigError `unreadable`
 */
export async function readDocument(file: string): Promise<ReadConfig> {
  const { source, mode } = await readSource(file)
  return { source, readableByOthers: (mode & 0o044) !== 0, document: await parse(source, file) }
}

async function readSource(file: string): Promise<{ source: string; mode: number }> {
  try {
    await using handle = await open(file)
    const { mode, size } = await handle.stat()
    if (size > MAX_CONFIG_BYTES) {
      throw new ConfigError({ code: 'unreadable', message: 'too large to be a configuration', file })
    }
    return { source: await handle.readFile('utf8'), mode }
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    const { code } = cause instanceof Error && 'code' in cause ? cause : { code: undefined }
    const reason =
      code === 'ENOENT' ? 'no such file' : code === 'EACCES' ? 'permission denied' : String(code ?? cause)
    throw new ConfigError({ code: 'unreadable', message: `can't be read: ${reason}`, file }, { cause })
  }
}

async function parse(source: string, file: string): Promise<ConfigDocument> {
  switch (extname(file)) {
    case '.json':
    case '.jsonc': {
      const { parseJson } = await import('./json-document.ts')
      return unwrapApplication(parseJson(source.replace(/^\uFEFF/, ''), file), file)
    }
    case '.ts':
      return { value: await importDefault(file), locate: () => undefined, describe: describePath }
    default: {
      const { parseYaml } = await import('./yaml-document.ts')
      return parseYaml(source, file)
    }
  }
}

async function importDefault(file: string): Promise<unknown> {
  let module: unknown
  try {
    module = await import(pathToFileURL(file).href)
  } catch (cause) {
    const message = `can't be loaded: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new ConfigError({ code: 'unreadable', message, file }, { cause })
  }
  if (typeof module === 'object' && module !== null && 'default' in module) return module.default
  throw new ConfigError(
    { code: 'unreadable', message: 'has no default export', file },
    { hint: 'Write: export default { … }' },
  )
}
