package io.pipeops.agent.kubernetes;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.osgi.service.metatype.annotations.Option;

/** Settings of the election; apart from those of the access, which are rebuilt when they change. */
@ObjectClassDefinition(
    name = "Leader",
    description = "Which of several replicas leads: it alone is connected and registered")
public @interface LeaderConfig {
  @AttributeDefinition(
      options = {
        @Option(label = "auto", value = "auto"),
        @Option(label = "always", value = "always"),
        @Option(label = "never", value = "never")
      },
      description =
          "Whether a Lease decides which replica leads: auto does so in a pod and goes on alone where"
              + " leases are not permitted, always leads only with the lease, never leads at once")
  String election() default "auto";

  @AttributeDefinition(
      min = "1",
      description =
          "How many replicas run; with one, the lead is kept while the API server is away, because"
              + " nobody could take it over")
  int replicas() default 1;

  @AttributeDefinition(
      description =
          "Lease, in the namespace that the agent runs in, by which the leader is elected")
  String lease_name() default "pipeops-agent";

  @AttributeDefinition(
      min = "5",
      max = "3600",
      description =
          "A leader that is gone is replaced after this time, in seconds; one that cannot renew the"
              + " lease stops leading after five sixths of it")
  int lease_seconds() default 40;

  @AttributeDefinition(
      min = "1",
      max = "1800",
      description =
          "How often the leader renews the lease, in seconds, at most half of the time above; each"
              + " renewal is a request to the API server")
  int renew_seconds() default 20;
}
