/** A store that speaks S3: where it is, and a user of it. */
export interface S3Store extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** For `endpoint`; buckets are in the path, not in the host's name. */
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}
