// Packages that are not there: one error with the one command.
import { describe, expect, it } from 'vitest';
import { peers, versionOf } from '../../../src/sources/taggers/peer.js';

describe('peers', () => {
  it('gives the modules in order', () => {
    const [rxjs] = peers('test', { rxjs: '7.8.2' }) as [{ of: unknown }];
    expect(rxjs.of).toBeTypeOf('function');
    expect(versionOf('wink-nlp')).toMatch(/^\d+\.\d+\.\d+$/u);
  });

  it('names the command that installs what is missing, all of it', () => {
    expect(() => peers('winkTagger', { 'maskflow-is-not-there': '1.2.3', rxjs: '7.8.2' })).toThrow(
      'winkTagger: needs maskflow-is-not-there and rxjs, which are not installed. npm install maskflow-is-not-there@1.2.3 rxjs@7.8.2',
    );
    expect(() => peers('onnxTagger', { 'maskflow-is-not-there': '1.2.3' })).toThrow('needs maskflow-is-not-there, which is not installed.');
  });
});
