import { Writable } from 'node:stream';
/** Commits in `final`, undoes in `destroy`: a destroyed stream leaves nothing visible. */
export class ObjectWritable extends Writable {
    #options;
    #file;
    #working = Promise.resolve();
    #committed = false;
    constructor(options) {
        super({ highWaterMark: 1024 * 1024, ...(options.signal && { signal: options.signal }) });
        this.#options = options;
    }
    _construct(done) {
        this.#run(async () => {
            this.#file = await this.#options.create();
        }, done);
    }
    _write(bytes, _encoding, done) {
        this.#run(async () => this.#file?.write(bytes), done);
    }
    _final(done) {
        this.#run(async () => {
            await this.#file?.commit(this.#options.ifAbsent, this.#options.signal);
            this.#committed = true;
        }, done);
    }
    _destroy(error, done) {
        const discard = async () => {
            await this.#working;
            if (!this.#committed)
                await this.#file?.discard();
        };
        discard().then(() => done(error), (cause) => done(error ?? (cause instanceof Error ? cause : null)));
    }
    #run(work, done) {
        const working = work();
        this.#working = working.catch(() => undefined);
        working.then(() => done(), (cause) => {
            const error = this.#options.translate(cause);
            done(error instanceof Error ? error : new Error(String(error)));
        });
    }
}
//# sourceMappingURL=object-writable.js.map