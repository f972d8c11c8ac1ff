import { z } from 'zod'
import { configSchema } from '../config/schema.ts'

/** `config schema`: the JSON Schema of the configuration, on standard output with or without --json. @returns the exit code */
export function configSchemaCommand(): number {
  const schema = z.toJSONSchema(configSchema, { io: 'input' })
  process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`)
  return 0
}
