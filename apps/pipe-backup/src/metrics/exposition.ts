import type { LoadedConfig } from '../config/load-config.ts'
import { readLastDrill } from '../vault/drill-log.ts'
import { CATALOGUE } from './catalogue.ts'
import { type Sample, sample, timeSamples } from './sample.ts'
import { readSamples, WRITERS } from './sample-store.ts'

/**
 * All that is known of the vault's commands, sources and sinks, in Prometheus' text format. Read from the state directory: no sink is asked.
 * @param program - `pipe-backup 0.1.0`
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export async function exposition(config: LoadedConfig, program: string): Promise<string> {
  const { Gauge, Registry } = await import('prom-client')
  const registry = new Registry()
  registry.setDefaultLabels({ vault: config.vault })
  const version = program.replace(/^\S+ /, '')
  const samples: Sample[] = [
    sample('pipe_backup_info', 1, { version }),
    ...(await Promise.all(WRITERS.map((writer) => readSamples(config.state, writer)))).flat(),
    ...timeSamples(
      'pipe_backup_drill_last_success_timestamp_seconds',
      (await readLastDrill(config.state))?.time,
    ),
  ]
  for (const [name, { help, labels }] of Object.entries(CATALOGUE)) {
    const own = samples.filter(({ metric }) => metric === name)
    if (own.length === 0) continue
    const gauge = new Gauge({ name, help, labelNames: labels, registers: [registry] })
    for (const { labels: values, value } of own) gauge.set({ ...values }, value)
  }
  return await registry.metrics()
}
