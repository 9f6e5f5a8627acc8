package io.pipeops.agent.provision.features;

import io.pipeops.agent.api.feature.StreamOwner;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Talks to the {@link StreamOwner}s of bundles. */
final class SideBySide {
  private static final Logger log = LoggerFactory.getLogger(SideBySide.class);
  private static final Duration LIMIT = Duration.ofSeconds(5);

  private final BundleContext context;

  SideBySide(BundleContext context) {
    this.context = context;
  }

  /** Those of the bundles that own streams. */
  Set<Bundle> owners(Collection<Bundle> bundles) {
    Set<Bundle> owners = new HashSet<>();
    for (ServiceReference<StreamOwner> reference : references(bundles)) {
      owners.add(reference.getBundle());
    }
    return owners;
  }

  /** Tells all of them to take no new streams, or to take them again. */
  void drain(Collection<Bundle> bundles, boolean draining) throws InterruptedException {
    for (ServiceReference<StreamOwner> reference : references(bundles)) {
      ask(
          reference,
          owner -> {
            owner.drain(draining);
            return null;
          });
    }
  }

  /** How many streams they have; one that does not answer has none that could be waited for. */
  long open(Collection<Bundle> bundles) throws InterruptedException {
    long open = 0;
    for (ServiceReference<StreamOwner> reference : references(bundles)) {
      Integer own = ask(reference, StreamOwner::openStreams);
      open += own == null ? 0 : Math.max(0, own);
    }
    return open;
  }

  private <T> T ask(ServiceReference<StreamOwner> reference, Function<StreamOwner, T> question)
      throws InterruptedException {
    Bundle bundle = reference.getBundle();
    String what = "the stream owner of " + (bundle == null ? "?" : bundle.getSymbolicName());
    try {
      return BoundedCall.ask(
          what,
          LIMIT,
          () -> {
            StreamOwner owner = context.getService(reference);
            try {
              return owner == null ? null : question.apply(owner);
            } finally {
              context.ungetService(reference);
            }
          });
    } catch (BadFeature failed) {
      log.warn("{}; going on without its answer", failed.getMessage());
      return null;
    }
  }

  private List<ServiceReference<StreamOwner>> references(Collection<Bundle> bundles) {
    Set<Bundle> own = new HashSet<>(bundles);
    List<ServiceReference<StreamOwner>> found = new ArrayList<>();
    try {
      for (ServiceReference<StreamOwner> reference :
          context.getServiceReferences(StreamOwner.class, null)) {
        if (own.contains(reference.getBundle())) {
          found.add(reference);
        }
      }
    } catch (InvalidSyntaxException impossible) {
      throw new IllegalStateException(impossible);
    }
    return found;
  }
}
