package io.pipeops.agent.kubernetes;

import io.fabric8.kubernetes.client.KubernetesClient;
import io.pipeops.agent.api.kubernetes.ApiServer;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/**
 * Publishes the one typed Kubernetes client. It is built when the first bundle asks for it and
 * closed when the last one has let go of it: an agent of which no feature needs it never loads its
 * thousands of classes. Nobody else may close it.
 */
@Component(
    service = {},
    immediate = true)
public final class TypedClient {
  private final ServiceRegistration<?> registration;

  /**
   * @param server only says that the place is known; what is used is behind {@code access}
   */
  @Activate
  public TypedClient(
      BundleContext context, @Reference ClusterAccess access, @Reference ApiServer server) {
    // By name, so that registering does not load the class.
    registration =
        context.registerService(
            "io.fabric8.kubernetes.client.KubernetesClient",
            new Shared(access.server().orElseThrow()),
            null);
  }

  @Deactivate
  void close() {
    registration.unregister();
  }

  /** Counts the bundles that hold the client. */
  static final class Shared implements ServiceFactory<Object> {
    private final LocatedApiServer server;
    private KubernetesClient client;
    private int holders;

    Shared(LocatedApiServer server) {
      this.server = server;
    }

    @Override
    public synchronized Object getService(Bundle bundle, ServiceRegistration<Object> registration) {
      if (client == null) {
        client = TypedClientBuilder.build(server);
      }
      holders++;
      return client;
    }

    @Override
    public synchronized void ungetService(
        Bundle bundle, ServiceRegistration<Object> registration, Object service) {
      holders--;
      if (holders == 0) {
        client.close();
        client = null;
      }
    }
  }
}
