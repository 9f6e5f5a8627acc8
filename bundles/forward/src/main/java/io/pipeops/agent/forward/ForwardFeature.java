package io.pipeops.agent.forward;

import io.pipeops.agent.api.feature.StreamOwner;
import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.StreamHandler;
import io.pipeops.agent.api.metrics.Metrics;
import java.time.Duration;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.List;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The feature as one component. Its references are dynamic and its configuration can be changed
 * while it runs, because to rebuild it would cut connections. Of two versions side by side the one
 * that was installed later gets the new ones.
 */
@Component(
    service = {StreamOwner.class, HealthCheck.class},
    immediate = true,
    configurationPid = "io.pipeops.agent.forward",
    property = {"hc.name=forward", "hc.tags=feature", "hc.tags=ready"})
@Designate(ocd = ForwardConfig.class)
public final class ForwardFeature implements StreamOwner, HealthCheck {
  private static final Logger log = LoggerFactory.getLogger(ForwardFeature.class);

  /** How long connections that were cut may take to say so. */
  private static final Duration LAST_WORDS = Duration.ofSeconds(2);

  private final BundleContext context;
  private final Forwarding all;
  private final JsonTunnels tunnels;
  private ServiceRegistration<LinkHandler> messages;
  private ServiceRegistration<StreamHandler> streams;
  private volatile boolean stopped;

  @Activate
  public ForwardFeature(BundleContext context, ForwardConfig config) {
    this(context, new Forwarding(Settings.of(config)));
  }

  ForwardFeature(BundleContext context, Forwarding all) {
    this.context = context;
    this.all = all;
    this.tunnels = new JsonTunnels(all);
  }

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void bindServer(ApiServer server) {
    all.server(server);
  }

  void unbindServer(ApiServer server) {
    if (all.server() == server) {
      all.server(null);
    }
  }

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void bindMetrics(Metrics metrics) {
    all.meters().use(metrics);
  }

  void unbindMetrics(Metrics metrics) {
    all.meters().drop(metrics);
  }

  /** Begins to take connections, once the references that are there have been bound. */
  @Activate
  void start() {
    messages =
        context.registerService(
            LinkHandler.class,
            tunnels,
            properties(LinkHandler.TYPES, JsonTunnels.TYPES_HANDLED.clone(), false));
    streams =
        context.registerService(
            StreamHandler.class,
            new StreamDesk(all),
            properties(StreamHandler.PROTOCOLS, protocols(), false));
  }

  private static String[] protocols() {
    return new String[] {
      StreamHandler.TCP, StreamHandler.UDP, StreamHandler.UDP_DATAGRAMS, StreamHandler.API
    };
  }

  @Modified
  void modified(ForwardConfig config) {
    all.settings(Settings.of(config));
  }

  private Dictionary<String, Object> properties(String name, String[] values, boolean draining) {
    Dictionary<String, Object> properties = new Hashtable<>();
    properties.put(name, values);
    properties.put(LinkHandler.DRAINING, draining);
    // Bundle ids only grow, so a newer version wins over one that is still there.
    long id = context.getBundle().getBundleId();
    properties.put(Constants.SERVICE_RANKING, (int) Math.min(id, Integer.MAX_VALUE));
    return properties;
  }

  @Override
  public int openStreams() {
    return all.forwards().open();
  }

  @Override
  public void drain(boolean draining) {
    all.draining(draining);
    messages.setProperties(
        properties(LinkHandler.TYPES, JsonTunnels.TYPES_HANDLED.clone(), draining));
    streams.setProperties(properties(StreamHandler.PROTOCOLS, protocols(), draining));
  }

  @Override
  public Result execute() {
    if (stopped) {
      return new Result(Result.Status.CRITICAL, "stopped");
    }
    return all.server() == null
        ? new Result(Result.Status.TEMPORARILY_UNAVAILABLE, "cluster not known yet")
        : new Result(Result.Status.OK, openStreams() + " connections open");
  }

  @Deactivate
  void stop() {
    stopped = true;
    messages.unregister();
    streams.unregister();
    all.draining(true);
    Forwards forwards = all.forwards();
    forwards.refuse();
    try {
      Duration limit = all.settings().drain();
      if (!forwards.awaitIdle(limit)) {
        List<Forwards.Forward> late = forwards.all();
        log.warn("Cut {} connections after {} s", late.size(), limit.toSeconds());
        late.forEach(Forwards.Forward::cut);
        if (!forwards.awaitIdle(LAST_WORDS)) {
          log.warn("{} connections do not end", forwards.open());
        }
      }
    } catch (InterruptedException e) {
      forwards.all().forEach(Forwards.Forward::cut);
      Thread.currentThread().interrupt();
    } finally {
      tunnels.close();
      all.close();
    }
  }
}
