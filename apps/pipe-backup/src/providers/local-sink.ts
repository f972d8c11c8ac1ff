import { filePath } from '../config/values.ts'
import { directoryLocation } from './sink-location.ts'
import { type SinkType, sinkType } from './sink-type.ts'

export const local: SinkType = sinkType(
  'local',
  'A directory: a disk, a mounted share',
  {
    path: filePath.describe(
      'The directory. `init` makes it; later it must be there, so that an unmounted disk is noticed',
    ),
  },
  async ({ path }, context) => {
    const { localSink } = await import('@pipe-backup/sink-local')
    return localSink({ name: context.name, path: context.path(path), create: context.create })
  },
  {
    // A disk that is not there is not there a minute later either.
    isRemote: false,
    location: ({ path = '' }, paths) => directoryLocation(paths.path(path)),
    directory: ({ path }) => path,
  },
)
