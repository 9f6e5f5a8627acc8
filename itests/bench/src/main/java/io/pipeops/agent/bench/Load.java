package io.pipeops.agent.bench;

import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.LongStream;

/** Callers, each with a connection of its own, that ask again and again for some seconds. */
final class Load {
  private static final int WINDOW_SECONDS = 5;

  private Load() {}

  /** A connection to ask on. */
  interface Call extends Closeable {
    void ask() throws Exception;
  }

  /** Makes a connection; called by each caller's thread. */
  interface Opening {
    Call open() throws Exception;
  }

  /**
   * What a run gave.
   *
   * @param nanos how long each answer took, the shortest first
   */
  record Result(double wall, Between.Amounts cpu, long[] nanos) {
    double rate() {
      return nanos.length / wall;
    }

    double millis(double quantile) {
      return nanos[(int) Math.min(nanos.length - 1, nanos.length * quantile)] / 1e6;
    }

    Between.Amounts cpuPer10000() {
      return cpu.each(seconds -> seconds / nanos.length * 10_000);
    }

    /** Both runs as one. The CPU of the second is left out. */
    Result and(Result other) {
      return new Result(
          wall + other.wall,
          cpu,
          LongStream.concat(Arrays.stream(nanos), Arrays.stream(other.nanos)).sorted().toArray());
    }
  }

  static Result run(Opening opening, int callers, int seconds, Between between) throws Exception {
    ConcurrentLinkedQueue<long[]> times = new ConcurrentLinkedQueue<>();
    ConcurrentLinkedQueue<Exception> errors = new ConcurrentLinkedQueue<>();
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    Between.Amounts cpu = between.cpu();
    long begin = System.nanoTime();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < callers; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    long[] mine = new long[1 << 20];
                    int n = 0;
                    try (Call call = opening.open()) {
                      while (System.nanoTime() < end && n < mine.length) {
                        long before = System.nanoTime();
                        call.ask();
                        mine[n++] = System.nanoTime() - before;
                      }
                    } catch (Exception e) {
                      errors.add(e);
                    }
                    times.add(Arrays.copyOf(mine, n));
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    if (!errors.isEmpty()) {
      throw errors.peek();
    }
    double wall = (System.nanoTime() - begin) / 1e9;
    long[] all = times.stream().flatMapToLong(Arrays::stream).sorted().toArray();
    if (all.length == 0) {
      throw new IOException("not one answer within " + seconds + " s");
    }
    return new Result(wall, between.cpu().since(cpu), all);
  }

  /**
   * The run time compiles what is used much, and takes its time. Repeats the load until its rate
   * grows no more.
   *
   * @param windows how often at most
   * @return the first repetition
   */
  static Result warmUp(Opening opening, int callers, int windows, Between between)
      throws Exception {
    Result first = run(opening, callers, WINDOW_SECONDS, between);
    double best = 0;
    int flat = 0;
    for (int i = 0; i < windows && flat < 3; i++) {
      double rate = run(opening, callers, WINDOW_SECONDS, between).rate();
      flat = rate < best * 1.03 ? flat + 1 : 0;
      best = Math.max(best, rate);
    }
    return first;
  }
}
