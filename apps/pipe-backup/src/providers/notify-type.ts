import type { ChannelOptions } from '@pipe-backup/notify'
import { z } from 'zod'
import { strictObject } from '../config/strict-object.ts'
import { type SecretConfig, secretKeys } from '../config/values.ts'

/** What every notification's configuration has, whatever its type. */
type NotifySchema = z.ZodObject<{ type: z.ZodLiteral<string> }>

/** A type of notification as the configuration knows it. */
export interface NotifyType {
  readonly type: string
  readonly schema: NotifySchema
  /** Which of its options are secrets. */
  readonly secrets: readonly string[]
  /** @param config - what `schema` has accepted @param read - reads a secret from where the configuration says it is */
  toChannel(
    config: z.output<NotifySchema>,
    read: (value: SecretConfig) => Promise<string>,
  ): Promise<ChannelOptions>
}

/** Of those that take messages: which ones. */
export const on = z
  .array(z.enum(['success', 'warning', 'failure', 'recovery']))
  .min(1)
  .optional()
  .describe('What to notify of. Default: failures, warnings and recoveries')

/**
 * Says how a type of notification is configured.
 * @param shape - its options
 * @param toChannel - gives those of its channel
 */
export function notifyType<const Shape extends z.ZodRawShape>(
  type: string,
  description: string,
  shape: Shape,
  toChannel: (
    options: z.output<z.ZodObject<Shape>>,
    read: (value: SecretConfig) => Promise<string>,
  ) => Promise<ChannelOptions>,
): NotifyType {
  const options = z.object(shape)
  return {
    type,
    schema: strictObject({ type: z.literal(type), ...shape }).describe(description),
    secrets: secretKeys(shape),
    toChannel: (config, read) => toChannel(options.parse(config), read),
  }
}
