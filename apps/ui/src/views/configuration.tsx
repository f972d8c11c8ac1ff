import type { Item, Setting, Configuration as Shown } from '../api.ts'
import { Answered } from '../parts/answered.tsx'
import { Warnings } from '../parts/notice.tsx'
import { useAnswer } from '../use-answer.ts'
import type { ViewProps } from './view-props.ts'

/** The configuration as the program understands it, without its secrets. */
export function Configuration({ onSession }: ViewProps) {
  const answer = useAnswer<Shown>('configuration')
  return (
    <>
      <h1>Configuration</h1>
      <Answered answer={answer} why="" onSession={onSession}>
        {(shown) => (
          <>
            <Warnings lines={shown.warnings} />
            <Settings
              settings={[
                { key: 'file', value: shown.file },
                { key: 'host key', value: shown.hostKey },
                { key: 'state', value: shown.state },
                ...shown.settings,
              ]}
            />
            <Items title="Sources" items={shown.sources} />
            <Items title="Sinks" items={shown.sinks} />
            <Items title="Notifications" items={shown.notify} />
          </>
        )}
      </Answered>
    </>
  )
}

function Items({ title, items }: { readonly title: string; readonly items: readonly Item[] }) {
  if (items.length === 0) return null
  return (
    <>
      <h2>{title}</h2>
      <div class="cards">
        {items.map((item, i) => (
          <section key={i} class="card">
            <h3>
              {item.title} <small>{item.type}</small>
            </h3>
            <Settings settings={item.settings} />
          </section>
        ))}
      </div>
    </>
  )
}

function Settings({ settings }: { readonly settings: readonly Setting[] }) {
  return (
    <dl class="settings">
      {settings.map(({ key, value }) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
