package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.Leadership;
import java.time.Duration;

/** One time of leading, from the day it began to the day it is lost. */
final class Lead implements Leadership {
  /** Ends the lead in good order. */
  interface Departure {
    boolean handOver(Duration limit) throws InterruptedException;
  }

  private volatile Departure departure;
  private volatile String lease;
  private volatile long term;

  Lead(String lease, long term, Departure departure) {
    this.lease = lease;
    this.term = term;
    this.departure = departure;
  }

  /** A lead that nobody elected: there is nobody to hand it to. */
  static Lead sole() {
    return new Lead("", 0, limit -> false);
  }

  /** It turns out that it can be had by election. */
  void elected(String by, long newTerm, Departure way) {
    lease = by;
    term = newTerm;
    departure = way;
  }

  @Override
  public String lease() {
    return lease;
  }

  @Override
  public long term() {
    return term;
  }

  @Override
  public boolean handOver(Duration limit) throws InterruptedException {
    return departure.handOver(limit);
  }
}
