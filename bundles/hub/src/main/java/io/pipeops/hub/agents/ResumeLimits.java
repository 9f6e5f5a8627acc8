package io.pipeops.hub.agents;

import java.time.Duration;

/**
 * How a lost connection of an agent is taken up again.
 *
 * @param limit how long its session is kept; zero is not at all
 * @param bytes that are kept until the agent has acknowledged them
 */
public record ResumeLimits(Duration limit, long bytes) {
  /** The defaults of the settings. */
  public static ResumeLimits standard() {
    return new ResumeLimits(Duration.ofMinutes(1), 4 << 20);
  }
}
