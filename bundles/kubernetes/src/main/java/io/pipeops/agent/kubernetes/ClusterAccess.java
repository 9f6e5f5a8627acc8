package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.ApiCalls;
import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.metrics.Metrics;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the cluster's API server and publishes it, together with the one client for the agent's own
 * small calls. That reads a few files, so it is done at once; only if there is no usable place yet
 * does it look again every ten seconds.
 */
@Component(
    service = ClusterAccess.class,
    immediate = true,
    configurationPid = "io.pipeops.agent.kubernetes",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = KubernetesConfig.class)
public final class ClusterAccess {
  private static final Logger log = LoggerFactory.getLogger(ClusterAccess.class);
  private static final long AGAIN_MILLIS = 10_000;
  private static final String DEFAULT_NAMESPACE = "pipeops-system";

  private final BundleContext context;
  private final KubernetesConfig config;
  private final Path podFolder;
  private final Map<String, String> environment;
  private final Metrics metrics;
  private final List<ServiceRegistration<?>> registrations = new ArrayList<>();
  private LocatedApiServer server;
  private ApiClient client;
  private String problem = "";
  private boolean closed;

  @Activate
  public ClusterAccess(BundleContext context, KubernetesConfig config, @Reference Metrics metrics) {
    this(context, config, metrics, InPod.FOLDER, System.getenv());
  }

  ClusterAccess(
      BundleContext context,
      KubernetesConfig config,
      Metrics metrics,
      Path podFolder,
      Map<String, String> environment) {
    this.context = context;
    this.config = config;
    this.metrics = metrics;
    this.podFolder = podFolder;
    this.environment = environment;
    if (!locate()) {
      Thread.ofVirtual().name("kubernetes-locate").start(this::locateAgain);
    }
  }

  @Deactivate
  void close() {
    List<ServiceRegistration<?>> published;
    ApiClient open;
    synchronized (this) {
      closed = true;
      published = List.copyOf(registrations);
      registrations.clear();
      open = client;
      notifyAll();
    }
    published.forEach(ServiceRegistration::unregister);
    if (open != null) {
      open.close();
    }
  }

  /** Whether the API server was found by what Kubernetes mounts into a pod. */
  boolean inPod() {
    return config.kubeconfig().isBlank() && server().isPresent();
  }

  /** The API server; empty while no usable place is known. */
  synchronized Optional<LocatedApiServer> server() {
    return Optional.ofNullable(server);
  }

  /** The client for calls with the agent's own credentials; there as long as the server is. */
  synchronized Optional<ApiClient> client() {
    return Optional.ofNullable(client);
  }

  /** Waits until there is a client; empty if there is none within the limit. */
  synchronized Optional<ApiClient> awaitClient(Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    while (client == null && !closed && end - System.nanoTime() > 0) {
      TimeUnit.NANOSECONDS.timedWait(this, end - System.nanoTime());
    }
    return closed ? Optional.empty() : client();
  }

  /**
   * Asks whether a token may create namespaces, which is what makes it useful to the control plane
   * (protocol 9.4). A token is judged alone, without the agent's client certificate.
   */
  boolean mayManage(String token, Duration limit) throws java.io.IOException, InterruptedException {
    LocatedApiServer place = server().orElseThrow(() -> new AccessException(problem()));
    if (place.keys() == null) {
      return TokenReview.mayManage(client().orElseThrow(), token, limit);
    }
    try (ApiClient alone = new ApiClient(place, true, metrics)) {
      return TokenReview.mayManage(alone, token, limit);
    }
  }

  /** Why there is no API server, for an operator; empty if there is one. */
  synchronized String problem() {
    return problem;
  }

  private void locateAgain() {
    try {
      do {
        synchronized (this) {
          if (!closed) {
            wait(AGAIN_MILLIS);
          }
          if (closed) {
            return;
          }
        }
      } while (!locate());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean locate() {
    String why;
    try {
      Optional<Place> place = find();
      if (place.isPresent()) {
        publish(server(place.get()));
        return true;
      }
      why = "not in a pod with a service account, and no kubeconfig is set";
    } catch (AccessException e) {
      why = e.getMessage();
    }
    synchronized (this) {
      if (!why.equals(problem)) {
        problem = why;
        log.warn("No access to a cluster: {}; looking again every {} s", why, AGAIN_MILLIS / 1000);
      }
    }
    return false;
  }

  private Optional<Place> find() throws AccessException {
    return config.kubeconfig().isBlank()
        ? InPod.find(podFolder, environment)
        : Optional.of(Kubeconfig.read(config.kubeconfig()));
  }

  private LocatedApiServer server(Place found) throws AccessException {
    Place place = found;
    if (!config.ca_cert_data().isBlank()) {
      String pem = Pem.decode(config.ca_cert_data(), "setting kubernetes.ca_cert_data");
      Pem.certificates(pem, "setting kubernetes.ca_cert_data");
      place =
          new Place(
              found.base(),
              found.insecure(),
              () -> pem,
              found.identity(),
              found.token(),
              found.mountedToken(),
              found.namespace());
    }
    if (place.insecure()) {
      log.warn("The API server's certificate is not checked server={}", place.base());
    }
    String domain =
        config.cluster_domain().isBlank()
            ? ClusterDomain.of(Path.of("/etc/resolv.conf"))
            : config.cluster_domain().trim();
    return new LocatedApiServer(
        place, first(config.namespace(), place.namespace(), DEFAULT_NAMESPACE), domain);
  }

  private void publish(LocatedApiServer found) {
    synchronized (this) {
      if (closed) {
        return;
      }
      server = found;
      client = new ApiClient(found, false, metrics);
      problem = "";
      notifyAll();
    }
    log.info(
        "Kubernetes API server={} namespace={} domain={}",
        found.base(),
        found.namespace(),
        found.clusterDomain());
    publish(ApiServer.class, found);
    publish(ApiCalls.class, client);
  }

  private <T> void publish(Class<T> type, T service) {
    ServiceRegistration<T> published = context.registerService(type, service, null);
    synchronized (this) {
      if (!closed) {
        registrations.add(published);
        return;
      }
    }
    published.unregister();
  }

  private static String first(String... candidates) {
    for (String candidate : candidates) {
      if (!candidate.isBlank()) {
        return candidate.trim();
      }
    }
    throw new IllegalArgumentException("no candidate");
  }
}
