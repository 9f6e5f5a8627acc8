package io.pipeops.agent.http;

import jakarta.servlet.Servlet;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/**
 * {@code GET /api/metrics/runtime} (protocol 10.5). The names are those of a Go program; of what
 * Java does not know cheaply (all memory ever allocated, the time of the last collection) nothing
 * is said. {@code goroutines} are platform threads.
 */
@Component(service = Servlet.class)
@HttpWhiteboardServletPattern("/api/metrics/runtime")
public final class RuntimeServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;

  private final transient AgentView agent;

  @Activate
  public RuntimeServlet(@Reference AgentView agent) {
    this.agent = agent;
  }

  @Override
  Answer answer() {
    Map<String, Object> memory = new LinkedHashMap<>();
    memory.put("alloc_mb", JavaRuntime.usedHeapMb());
    memory.put("sys_mb", JavaRuntime.residentMb());
    memory.put("heap_alloc_mb", JavaRuntime.usedHeapMb());
    memory.put("heap_sys_mb", JavaRuntime.committedHeapMb());
    Map<String, Object> gc = new LinkedHashMap<>();
    gc.put("num_gc", JavaRuntime.collections());
    gc.put("pause_total_ns", JavaRuntime.collectionNanos());
    Map<String, Object> runtime = new LinkedHashMap<>();
    runtime.put("goroutines", JavaRuntime.threads());
    runtime.put("cpus", Runtime.getRuntime().availableProcessors());
    runtime.put("go_version", VersionServlet.java());
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("memory", memory);
    body.put("gc", gc);
    body.put("runtime", runtime);
    body.put("uptime", agent.uptime());
    body.put("timestamp", Instant.now());
    return new Answer(200, body);
  }
}
