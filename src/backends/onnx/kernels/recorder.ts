// What a recorder is: the counterpart of a tfjs kernel that writes nodes instead of computing.
import type { Recording, Value } from './recording.js';

/** Writes the nodes of one call of a kernel; answers its outputs, whose types are those of tfjs's `cpu` kernel. */
export type Recorder = (recording: Recording, inputs: Readonly<Record<string, Value>>, attrs: object) => Value | readonly Value[];

/** Recorders by the name of their tfjs kernel. */
export type Recorders = Readonly<Record<string, Recorder>>;

/** A recorder with the names of its inputs and the type of its attributes; tfjs's operations see to both before they call a kernel. */
export function recorder<Inputs extends string, Attrs extends object = object>(
  record: (recording: Recording, inputs: Readonly<Record<Inputs, Value>>, attrs: Attrs) => Value | readonly Value[],
): Recorder {
  return record as unknown as Recorder;
}

/** A recorder of a kernel that takes a list of tensors (`concat`, `stack`, `addN`). */
export function listRecorder<Attrs extends object = object>(record: (recording: Recording, inputs: readonly Value[], attrs: Attrs) => Value): Recorder {
  return (recording, inputs, attrs) => record(recording, Object.values(inputs), attrs as Attrs);
}
