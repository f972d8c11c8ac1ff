import { ifSet } from '../config/if-set.ts'
import { filePath, text } from '../config/values.ts'
import { checked } from './checked.ts'
import { below } from './sink-location.ts'
import { type SinkType, sinkType } from './sink-type.ts'

export const rclone: SinkType = sinkType(
  'rclone',
  "What is below a path of any remote of rclone's: the rclone program must be installed",
  {
    remote: text
      .regex(
        /^:?[\w.+@ -]+:/,
        'must be name:path, with a name from `rclone config`; options go into its configuration',
      )
      .describe('name:path, with a remote of `rclone config`'),
    config: filePath.optional().describe("rclone's configuration file. Default: its own"),
    program: text.optional().describe('Default: rclone'),
  },
  async ({ remote, config, program }, context) => {
    const { rcloneSink } = await import('@pipe-backup/sink-rclone')
    const options = {
      name: context.name,
      remote,
      config: ifSet(config, context.path),
      program,
    }
    return checked(context.name, () => rcloneSink(options))
  },
  {
    location: ({ remote = '' }) =>
      below(`rclone ${remote.split(':', 1)[0]}`, remote.slice(remote.indexOf(':') + 1)),
    server: ({ remote }) => ifSet(remote, (given) => `rclone ${given.split(':', 1)[0]}`),
    environment: () => ['RCLONE_CONFIG', 'RCLONE_CONFIG_PASS'],
  },
)
