package io.pipeops.agent.api.link;

/**
 * Which message leaves first when the link is busy. A lower class waits for the higher ones;
 * streams of one class take turns.
 */
public enum Priority {
  /** Registration, heartbeats, pongs, and the messages that open, end or cancel a stream. */
  CONTROL,
  /** Terminal sessions and other small answers that a person waits for. */
  INTERACTIVE,
  /** Everything that may be large: response bodies, logs, copies. */
  BULK
}
