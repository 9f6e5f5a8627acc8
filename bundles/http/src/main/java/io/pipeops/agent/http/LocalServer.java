package io.pipeops.agent.http;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.osgi.framework.BundleContext;
import org.osgi.service.cm.ConfigurationAdmin;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.servlet.runtime.HttpServiceRuntime;
import org.osgi.service.servlet.runtime.HttpServiceRuntimeConstants;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives the framework's HTTP service its settings, and writes the address that came of them to
 * {@code http.address} in the run folder. A port that is taken is tried again every ten seconds.
 */
@Component(
    service = {},
    immediate = true,
    configurationPid = "io.pipeops.agent.http",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = HttpConfig.class)
public final class LocalServer {
  static final String ADDRESS_FILE = "http.address";

  private static final Logger log = LoggerFactory.getLogger(LocalServer.class);
  private static final String SERVER_PID = "org.apache.felix.http";
  private static final long BIND_MILLIS = 10_000;

  private final ConfigurationAdmin admin;
  private final HttpConfig config;
  private final Path addressFile;
  private final Thread thread;
  private HttpServiceRuntime runtime;
  private String address = "";
  private boolean closed;

  @Activate
  public LocalServer(
      BundleContext context, @Reference ConfigurationAdmin admin, HttpConfig config) {
    this(admin, config, context.getProperty("agent.run.dir"));
  }

  LocalServer(ConfigurationAdmin admin, HttpConfig config, String runDir) {
    this.admin = admin;
    this.config = config;
    this.addressFile = runDir == null ? null : Path.of(runDir, ADDRESS_FILE);
    configure(0);
    thread = Thread.ofVirtual().name("http-bind").start(this::watch);
  }

  @Reference(cardinality = ReferenceCardinality.OPTIONAL, policy = ReferencePolicy.DYNAMIC)
  void setRuntime(HttpServiceRuntime service, Map<String, Object> properties) {
    bound(service, properties);
  }

  void updatedRuntime(HttpServiceRuntime service, Map<String, Object> properties) {
    bound(service, properties);
  }

  synchronized void unsetRuntime(HttpServiceRuntime service) {
    if (runtime == service) {
      runtime = null;
      address = "";
      notifyAll();
    }
  }

  @Deactivate
  void close() {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    thread.interrupt();
    if (addressFile != null) {
      try {
        Files.deleteIfExists(addressFile);
      } catch (IOException e) {
        log.debug("Cannot delete {}: {}", addressFile, e.toString());
      }
    }
  }

  /** What the server is told; only the attempt differs between two tries. */
  static Dictionary<String, Object> serverProperties(HttpConfig config, int attempt) {
    Dictionary<String, Object> properties = new Hashtable<>();
    properties.put("org.osgi.service.http.port", config.port());
    properties.put("org.apache.felix.http.host", config.host());
    properties.put("org.apache.felix.http.enable", true);
    properties.put("org.apache.felix.https.enable", false);
    // No pool of platform threads: idle, the server then holds none but the selector's.
    properties.put("org.apache.felix.http.jetty.virtualthreads.enable", true);
    properties.put("org.apache.felix.http.jetty.threadpool.max", 64);
    properties.put("org.apache.felix.http.jetty.acceptors", 1);
    properties.put("org.apache.felix.http.jetty.selectors", 1);
    properties.put("org.apache.felix.http.jetty.acceptQueueSize", 64);
    properties.put("org.apache.felix.http.jetty.headerBufferSize", 8 * 1024);
    properties.put("org.apache.felix.http.jetty.requestBufferSize", 4 * 1024);
    properties.put("org.apache.felix.http.jetty.responseBufferSize", 16 * 1024);
    properties.put("org.apache.felix.http.jetty.maxFormSize", 16 * 1024);
    properties.put("org.apache.felix.http.jetty.sendServerHeader", false);
    properties.put("org.apache.felix.http.session.timeout", 1);
    properties.put("org.eclipse.jetty.servlet.SessionScavengingInterval", 0);
    properties.put("org.apache.felix.http.timeout", 30_000);
    properties.put("org.apache.felix.jetty.stopTimeout", 5_000L);
    properties.put("io.pipeops.agent.http.attempt", attempt);
    return properties;
  }

  private void configure(int attempt) {
    try {
      admin.getConfiguration(SERVER_PID, "?").updateIfDifferent(serverProperties(config, attempt));
    } catch (IOException e) {
      log.error("Cannot configure the local HTTP server", e);
    }
  }

  private void bound(HttpServiceRuntime service, Map<String, Object> properties) {
    String found = endpoint(properties.get(HttpServiceRuntimeConstants.HTTP_SERVICE_ENDPOINT));
    synchronized (this) {
      runtime = service;
      if (closed || found.isEmpty() || found.equals(address)) {
        return;
      }
      address = found;
      notifyAll();
    }
    log.info("Local HTTP server address={}", found);
    if (addressFile != null) {
      write(found);
    }
  }

  /** The address for a client on this machine: all-interfaces becomes loopback. */
  private String endpoint(Object property) {
    String[] endpoints =
        property instanceof String[] several
            ? several
            : property instanceof String one ? new String[] {one} : new String[0];
    for (String endpoint : endpoints) {
      try {
        URI uri = URI.create(endpoint);
        if ("http".equals(uri.getScheme()) && uri.getPort() > 0) {
          String host = config.host().trim();
          boolean any = host.isEmpty() || host.equals("0.0.0.0") || host.equals("::");
          return "http://" + (any ? "127.0.0.1" : bracketed(host)) + ":" + uri.getPort();
        }
      } catch (IllegalArgumentException e) {
        log.debug("HTTP endpoint is not a URI: {}", endpoint);
      }
    }
    return "";
  }

  private static String bracketed(String host) {
    return host.indexOf(':') >= 0 && !host.startsWith("[") ? "[" + host + "]" : host;
  }

  /** In one step, so that a reader never sees half of it. */
  private void write(String text) {
    Path fresh = addressFile.resolveSibling(ADDRESS_FILE + ".new");
    try {
      Files.write(fresh, text.getBytes(StandardCharsets.UTF_8));
      Files.move(fresh, addressFile, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      log.warn("Cannot write {}: {}", addressFile, e.toString());
    }
  }

  private void watch() {
    int attempt = 0;
    try {
      while (true) {
        synchronized (this) {
          while (!closed && !address.isEmpty()) {
            wait();
          }
          long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(BIND_MILLIS);
          while (!closed && address.isEmpty() && end - System.nanoTime() > 0) {
            TimeUnit.NANOSECONDS.timedWait(this, end - System.nanoTime());
          }
          if (closed) {
            return;
          }
          if (!address.isEmpty()) {
            continue;
          }
        }
        attempt++;
        log.warn(
            "Nothing listens on {}:{} (is the port taken?); trying again every {} s",
            config.host(),
            config.port(),
            BIND_MILLIS / 1000);
        configure(attempt);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
