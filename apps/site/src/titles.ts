import { type Application, Converter, ReflectionKind } from 'typedoc'

/** A plugin of TypeDoc: a document is called by its first heading, for thirty of them have the file name README.md, and a module as it is imported. */
export function load(app: Application): void {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, document) => {
    const text = document.content.map((part) => part.text).join('')
    const heading = /^# (.+)$/m.exec(text)?.[1]
    if (heading !== undefined) document.name = heading.replaceAll('`', '')
  })
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module))
      module.name = `@pipe-backup/${module.name.replace(/^packages\/|\/src$/g, '')}`
  })
}
