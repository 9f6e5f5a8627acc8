package io.pipeops.agent.protocol;

import java.time.Instant;

/** RFC 3339 timestamps in UTC (protocol 0.2). */
final class Timestamps {
  private static volatile Second last = new Second(0, "1970-01-01T00:00:00");

  private record Second(long epoch, String text) {}

  private Timestamps() {}

  /** The present time to the millisecond. Formatting a date is dear, so a second is kept. */
  static String now() {
    long millis = System.currentTimeMillis();
    long epoch = Math.floorDiv(millis, 1000L);
    Second second = last;
    if (second.epoch != epoch) {
      String text = Instant.ofEpochSecond(epoch).toString();
      second = new Second(epoch, text.substring(0, text.length() - 1));
      last = second;
    }
    int rest = (int) Math.floorMod(millis, 1000L);
    char[] fraction = {
      '.', (char) ('0' + rest / 100), (char) ('0' + rest / 10 % 10), (char) ('0' + rest % 10), 'Z'
    };
    return second.text + new String(fraction);
  }
}
