import type { MetricName } from './catalogue.ts'

/** One value of one metric. */
export interface Sample {
  readonly metric: MetricName
  /** All of the metric's labels but `vault`. */
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export function sample(
  metric: MetricName,
  value: number,
  labels: Readonly<Record<string, string>> = {},
): Sample {
  return { metric, labels, value }
}

/** Seconds since 1970, as Prometheus wants times. No time, no sample. */
export function timeSamples(
  metric: MetricName,
  time: Date | undefined,
  labels: Readonly<Record<string, string>> = {},
): Sample[] {
  return time === undefined ? [] : [sample(metric, time.getTime() / 1000, labels)]
}

/** 1 for the state it is in, 0 for each other one: what is compared over time must not vanish. */
export function stateSamples<State extends string>(
  metric: MetricName,
  states: readonly State[],
  state: State,
  labels: Readonly<Record<string, string>>,
): Sample[] {
  return states.map((each) => sample(metric, each === state ? 1 : 0, { ...labels, state: each }))
}
