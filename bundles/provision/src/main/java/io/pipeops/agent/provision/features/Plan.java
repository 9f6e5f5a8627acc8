package io.pipeops.agent.provision.features;

import java.util.List;

/**
 * The steps that lead from what runs to what should run.
 *
 * @param steps in the order they are done
 */
public record Plan(List<PlanStep> steps) {
  public Plan {
    steps = List.copyOf(steps);
  }

  public boolean isEmpty() {
    return steps.isEmpty();
  }

  /** A line for each step, for logs and people. */
  public List<String> lines() {
    return steps.stream().map(PlanStep::toString).toList();
  }
}
