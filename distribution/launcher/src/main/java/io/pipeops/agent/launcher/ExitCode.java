package io.pipeops.agent.launcher;

/** What the process's exit status means. */
final class ExitCode {
  static final int OK = 0;

  /** Something that should have worked did not; the log says what. */
  static final int FAILURE = 1;

  /** The command line or the settings are wrong. */
  static final int USAGE = 2;

  private ExitCode() {}
}
