package io.pipeops.agent.heartbeat;

import io.pipeops.agent.api.kubernetes.ApiCalls;
import io.pipeops.agent.api.kubernetes.ApiCalls.Answer;
import io.pipeops.agent.heartbeat.ClusterFigures.Figures;
import io.pipeops.agent.heartbeat.ListReader.Load;
import io.pipeops.agent.heartbeat.ListReader.Page;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * Asks the API server for the figures with as few and as small requests as there are: a count is a
 * list of one item, without its content, that says how many follow. What nodes can give is read
 * page by page and only once an hour, or when their number changes. Used by one thread.
 */
final class FigureReader {
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final long ALLOCATABLE_NANOS = Duration.ofHours(1).toNanos();
  private static final String JSON = "application/json";
  private static final String HEADS =
      "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
  private static final int HEAD_PAGE = 500;
  private static final int NODE_PAGE = 20;
  private static final int MAX_PAGES = 500;

  private final ApiCalls calls;
  private Map<String, Load> allocatable = Map.of();
  private long allocatableNodes = -1;
  private long allocatableNanos;
  private long nodes;
  private long pods;
  private String complaint = "";
  private Duration patience = Duration.ZERO;

  FigureReader(ApiCalls calls) {
    this.calls = calls;
  }

  /**
   * Asks for all figures. One that is refused keeps its last value, except for the load, which
   * would soon be wrong.
   *
   * @throws IOException if the API server does not answer
   */
  Figures read() throws IOException, InterruptedException {
    complaint = "";
    patience = Duration.ZERO;
    nodes = count("/api/v1/nodes", nodes);
    pods = count("/api/v1/pods", pods);
    Map<String, Load> usage = new HashMap<>();
    if (!pages("/apis/metrics.k8s.io/v1beta1/nodes", HEAD_PAGE, JSON, "usage", usage)) {
      usage.clear();
    } else {
      refreshAllocatable();
    }
    return new Figures(
        nodes, pods, percent(usage, Load::cpu), percent(usage, Load::memory), complaint, patience);
  }

  private long count(String path, long known) throws IOException, InterruptedException {
    Answer answer = calls.get(path + "?limit=1", HEADS, LIMIT);
    if (!accepted(path, answer)) {
      return known;
    }
    Page page = ListReader.read(answer.body(), "", Map.of());
    if (page.remaining() >= 0) {
      return page.items() + page.remaining();
    }
    long[] total = new long[1];
    return walk(path, HEAD_PAGE, HEADS, "", new HashMap<>(), total) ? total[0] : known;
  }

  private void refreshAllocatable() throws IOException, InterruptedException {
    long now = System.nanoTime();
    if (allocatableNodes == nodes && now - allocatableNanos < ALLOCATABLE_NANOS) {
      return;
    }
    Map<String, Load> found = new HashMap<>();
    if (pages("/api/v1/nodes", NODE_PAGE, JSON, "status/allocatable", found)) {
      allocatable = found;
      allocatableNodes = nodes;
      allocatableNanos = now;
    }
  }

  private boolean pages(String path, int size, String accept, String field, Map<String, Load> loads)
      throws IOException, InterruptedException {
    return walk(path, size, accept, field, loads, new long[1]);
  }

  /** Reads all pages; false if that was refused. A token that has grown too old begins anew. */
  private boolean walk(
      String path, int size, String accept, String field, Map<String, Load> loads, long[] total)
      throws IOException, InterruptedException {
    String next = "";
    boolean restarted = false;
    for (int page = 0; page < MAX_PAGES; page++) {
      String query =
          "?limit="
              + size
              + (next.isEmpty()
                  ? ""
                  : "&continue=" + URLEncoder.encode(next, StandardCharsets.UTF_8));
      Answer answer = calls.get(path + query, accept, LIMIT);
      if (answer.status() == 410 && !restarted) {
        restarted = true;
        next = "";
        total[0] = 0;
        loads.clear();
        continue;
      }
      if (!accepted(path, answer)) {
        return false;
      }
      Page read = ListReader.read(answer.body(), field, loads);
      total[0] += read.items();
      next = read.next();
      if (next.isEmpty()) {
        return true;
      }
    }
    complaint = path + " has too many pages";
    return false;
  }

  private boolean accepted(String path, Answer answer) {
    if (answer.ok()) {
      return true;
    }
    String why =
        answer.status() == 404 && path.contains("metrics.k8s.io")
            ? "the cluster has no metrics API"
            : path + " answers " + answer.status();
    complaint = complaint.isEmpty() ? why : complaint + ", " + why;
    if (answer.retryAfter().compareTo(patience) > 0) {
      patience = answer.retryAfter();
    }
    return false;
  }

  /** Of the nodes of which both sides are known. */
  private String percent(Map<String, Load> usage, ToDoubleFunction<Load> part) {
    double used = 0;
    double given = 0;
    for (Map.Entry<String, Load> entry : usage.entrySet()) {
      Load whole = allocatable.get(entry.getKey());
      if (whole != null) {
        double one = part.applyAsDouble(entry.getValue());
        double all = part.applyAsDouble(whole);
        if (one >= 0 && all > 0) {
          used += one;
          given += all;
        }
      }
    }
    return given > 0 ? Math.round(100 * used / given) + "%" : ClusterFigures.UNKNOWN;
  }
}
