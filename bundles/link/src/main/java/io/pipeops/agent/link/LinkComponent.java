package io.pipeops.agent.link;

import io.pipeops.agent.api.feature.Conditions;
import io.pipeops.agent.api.kubernetes.Leadership;
import io.pipeops.agent.api.kubernetes.StateStore;
import io.pipeops.agent.api.link.Link;
import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkListener;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.LinkStatus;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.RegistrationFact;
import io.pipeops.agent.api.link.StreamHandler;
import io.pipeops.agent.api.metrics.Metrics;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.condition.Condition;
import org.osgi.service.metatype.annotations.Designate;

/**
 * The OSGi side of the link: collects the contributors, and keeps the connection through a change
 * of settings that does not concern the peer.
 */
@Component(
    service = {Link.class, LinkComponent.class},
    immediate = true,
    configurationPid = "io.pipeops.agent.link",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = LinkConfig.class)
public final class LinkComponent implements Link {
  /** What is told first and closed last, all together. */
  private static final Duration SHUTDOWN = Duration.ofMillis(3500);

  private final String version;
  private final LinkRuntime runtime;
  private final Whiteboard<LinkHandler> handlers;
  private final Whiteboard<StreamHandler> streams;
  private final Whiteboard<LinkListener> listeners;
  private final Whiteboard<RegistrationFact> facts;
  private final Whiteboard<StateStore> stores;

  /** Starts connecting; returns at once. */
  @Activate
  public LinkComponent(BundleContext context, LinkConfig config, @Reference Metrics metrics) {
    String known = context.getProperty("agent.version");
    version = known == null ? context.getBundle().getVersion().toString() : known;
    facts =
        new Whiteboard<>(
            new Whiteboard.Visitor<>() {
              @Override
              public void added(ServiceReference<RegistrationFact> ref, RegistrationFact fact) {
                runtime().checkCredentials();
              }

              @Override
              public void removed(ServiceReference<RegistrationFact> ref, RegistrationFact fact) {}
            });
    runtime = new LinkRuntime(metrics, facts::services);
    handlers =
        new Whiteboard<>(
            new Whiteboard.Visitor<>() {
              @Override
              public void added(ServiceReference<LinkHandler> ref, LinkHandler handler) {
                runtime().handlers().put(ref, handler, properties(ref));
              }

              @Override
              public void removed(ServiceReference<LinkHandler> ref, LinkHandler handler) {
                runtime().handlers().remove(ref);
              }
            });
    streams =
        new Whiteboard<>(
            new Whiteboard.Visitor<>() {
              @Override
              public void added(ServiceReference<StreamHandler> ref, StreamHandler handler) {
                runtime().streams().handlers().put(ref, handler, properties(ref));
              }

              @Override
              public void removed(ServiceReference<StreamHandler> ref, StreamHandler handler) {
                runtime().streams().handlers().remove(ref);
              }
            });
    listeners =
        new Whiteboard<>(
            new Whiteboard.Visitor<>() {
              @Override
              public void added(ServiceReference<LinkListener> ref, LinkListener listener) {
                runtime().board().add(listener);
              }

              @Override
              public void removed(ServiceReference<LinkListener> ref, LinkListener listener) {
                runtime().board().remove(listener);
              }
            });
    stores =
        new Whiteboard<>(
            new Whiteboard.Visitor<>() {
              @Override
              public void added(ServiceReference<StateStore> ref, StateStore store) {
                runtime().attach(store);
              }

              @Override
              public void removed(ServiceReference<StateStore> ref, StateStore store) {
                runtime().detach(store);
              }
            });
    stores.open(context);
    facts.open(context);
    handlers.open(context);
    streams.open(context);
    listeners.open(context);
    apply(config);
  }

  private void apply(LinkConfig config) {
    runtime.streams().limits(StreamLimits.of(config));
    runtime.apply(LinkSettings.of(config, version));
  }

  private LinkRuntime runtime() {
    return runtime;
  }

  @Modified
  void modified(LinkConfig config) {
    apply(config);
  }

  @Deactivate
  void stop() {
    runtime.close(SHUTDOWN);
  }

  /** Hands the cluster over to another replica, if one follows; blocks while it does. */
  void leave() {
    try {
      runtime.leave();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public LinkStatus status() {
    return runtime.board().status();
  }

  @Override
  public void deliver(Outgoing message, Duration limit)
      throws LinkLostException, TimeoutException, InterruptedException {
    runtime.deliver(message, limit);
  }

  @Override
  public void register(String reason) {
    runtime.register(PeerText.line(reason));
  }

  @Reference(
      service = LinkHandler.class,
      cardinality = ReferenceCardinality.MULTIPLE,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void addHandler(ServiceReference<LinkHandler> reference) {
    handlers.add(reference);
  }

  void updatedHandler(ServiceReference<LinkHandler> reference) {
    runtime.handlers().update(reference, properties(reference));
  }

  void removeHandler(ServiceReference<LinkHandler> reference) {
    handlers.remove(reference);
  }

  @Reference(
      service = StreamHandler.class,
      cardinality = ReferenceCardinality.MULTIPLE,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void addStreamHandler(ServiceReference<StreamHandler> reference) {
    streams.add(reference);
  }

  void updatedStreamHandler(ServiceReference<StreamHandler> reference) {
    runtime.streams().handlers().update(reference, properties(reference));
  }

  void removeStreamHandler(ServiceReference<StreamHandler> reference) {
    streams.remove(reference);
  }

  @Reference(
      service = LinkListener.class,
      cardinality = ReferenceCardinality.MULTIPLE,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void addListener(ServiceReference<LinkListener> reference) {
    listeners.add(reference);
  }

  void removeListener(ServiceReference<LinkListener> reference) {
    listeners.remove(reference);
  }

  @Reference(
      service = RegistrationFact.class,
      cardinality = ReferenceCardinality.MULTIPLE,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void addFact(ServiceReference<RegistrationFact> reference) {
    facts.add(reference);
  }

  void removeFact(ServiceReference<RegistrationFact> reference) {
    facts.remove(reference);
  }

  @Reference(
      service = StateStore.class,
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void addStore(ServiceReference<StateStore> reference) {
    stores.add(reference);
  }

  void removeStore(ServiceReference<StateStore> reference) {
    stores.remove(reference);
  }

  @Reference(
      service = Leadership.class,
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY,
      updated = "updatedLead")
  void addLead(Leadership lead) {
    runtime.lead(lead);
  }

  /** It is a lease that elects now: the peer has to know, to tell this leader from the next. */
  void updatedLead(Leadership lead) {
    runtime.register("this replica was elected");
  }

  void removeLead(Leadership lead) {
    runtime.follow(lead);
  }

  @Reference(
      service = Condition.class,
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY,
      target = "(osgi.condition.id=" + Conditions.AGENT_STANDBY + ")")
  void addStandby(Condition condition) {
    runtime.standBy(true);
  }

  void removeStandby(Condition condition) {
    runtime.standBy(false);
  }

  private static Map<String, Object> properties(ServiceReference<?> reference) {
    Map<String, Object> properties = new HashMap<>();
    Arrays.stream(reference.getPropertyKeys())
        .forEach(key -> properties.put(key, reference.getProperty(key)));
    return properties;
  }
}
