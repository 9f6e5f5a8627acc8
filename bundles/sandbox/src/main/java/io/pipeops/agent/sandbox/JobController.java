package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** Runs the pods of a Job until enough of them have succeeded. All of them do. */
final class JobController implements Controller {
  private static final String JOB = "batch.kubernetes.io/job-name";

  private final Workloads workloads;
  private final ResourceType jobs;

  JobController(Workloads workloads) {
    this.workloads = workloads;
    this.jobs = workloads.type("jobs.batch");
  }

  @Override
  public Optional<Instant> reconcile(Instant now) {
    for (ObjectNode job : workloads.living("jobs.batch")) {
      if (!PodView.condition(job, "Complete").equals("True")
          && !Json.at(job, "spec", "suspend").asBoolean()) {
        run(job);
      }
    }
    return Optional.empty();
  }

  private void run(ObjectNode job) {
    int done =
        (int)
            workloads.owned("pods", job).stream()
                .filter(pod -> Json.text(pod, "status", "phase").equals("Succeeded"))
                .count();
    int wanted = Json.number(job, 1, "spec", "completions");
    int parallel = Math.min(Json.number(job, 1, "spec", "parallelism"), wanted - done);
    for (int i = workloads.activePods(job).size(); i < parallel; i++) {
      workloads.createPod(
          job,
          Json.name(job) + "-",
          pod -> Json.child(Json.meta(pod), "labels").put(JOB, Json.name(job)));
    }
    List<ObjectNode> active = workloads.activePods(job);
    String now = Json.time(workloads.now());
    workloads.status(
        jobs,
        job,
        status -> {
          if (!status.has("startTime")) {
            status.put("startTime", now);
          }
          Workloads.count(status, "active", active.size());
          Workloads.count(status, "ready", (int) active.stream().filter(PodView::isReady).count());
          Workloads.count(status, "succeeded", done);
          if (done >= wanted) {
            status.put("completionTime", now);
            workloads.condition(
                status, "Complete", true, "CompletionsReached", "all pods succeeded");
          }
        });
    if (done >= wanted) {
      workloads.event(job, "Normal", "Completed", "Job completed");
    }
  }
}
