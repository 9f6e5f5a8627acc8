package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.StringJoiner;
import java.util.function.DoubleUnaryOperator;

/**
 * The processes between a caller and its target, by name, and what they use.
 *
 * @param java whether they are Java, so that they can be asked for their heap
 */
record Between(Map<String, Long> pids, boolean java) {
  /** One number for each process. */
  record Amounts(Map<String, Double> byName) {
    Amounts since(Amounts before) {
      Map<String, Double> grown = new LinkedHashMap<>();
      byName.forEach((name, value) -> grown.put(name, value - before.byName.get(name)));
      return new Amounts(grown);
    }

    Amounts each(DoubleUnaryOperator change) {
      Map<String, Double> changed = new LinkedHashMap<>();
      byName.forEach((name, value) -> changed.put(name, change.applyAsDouble(value)));
      return new Amounts(changed);
    }

    /** Such as "agent 1.2, hub 1.7". */
    String text(String format) {
      StringJoiner text = new StringJoiner(", ");
      byName.forEach((name, value) -> text.add(name + Figures.number(" " + format, value)));
      return text.toString();
    }

    void into(Map<String, Double> numbers, String suffix) {
      byName.forEach((name, value) -> numbers.put(name + suffix, value));
    }
  }

  private interface Look {
    double at(long pid) throws IOException, InterruptedException;
  }

  static Between nothing() {
    return new Between(Map.of(), false);
  }

  static Between hubAndAgent(Spine spine) {
    Map<String, Long> pids = new LinkedHashMap<>();
    pids.put("agent", spine.agent().process().pid());
    pids.put("hub", spine.hub().process().pid());
    return new Between(pids, true);
  }

  static Between haProxy(long pid) {
    return new Between(Map.of("haproxy", pid), false);
  }

  private Amounts look(Look look) throws IOException, InterruptedException {
    Map<String, Double> seen = new LinkedHashMap<>();
    for (Map.Entry<String, Long> process : pids.entrySet()) {
      seen.put(process.getKey(), look.at(process.getValue()));
    }
    return new Amounts(seen);
  }

  /** CPU seconds since each process began. */
  Amounts cpu() throws IOException, InterruptedException {
    return look(Cpu::seconds);
  }

  /** Resident memory in MiB. */
  Amounts resident() throws IOException, InterruptedException {
    return look(pid -> Cpu.memory(pid, "VmRSS"));
  }

  /** The highest resident memory, in MiB, since it was last forgotten. */
  Amounts peak() throws IOException, InterruptedException {
    return look(pid -> Cpu.memory(pid, "VmHWM"));
  }

  /** What is used of each heap after a collection, in MiB; empty where that cannot be asked. */
  Amounts heap() throws IOException, InterruptedException {
    return java && Memory.canCollect() ? look(Memory::heap) : new Amounts(Map.of());
  }

  void forgetPeak() throws IOException {
    for (long pid : pids.values()) {
      Cpu.resetPeak(pid);
    }
  }
}
