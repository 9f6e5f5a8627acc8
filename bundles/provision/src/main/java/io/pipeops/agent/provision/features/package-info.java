/**
 * Features: {@link FeatureFile} reads one, {@link FeatureFolder} follows the folder, {@link
 * Selection} says what should run, {@link Planner} compares that with what runs, {@link PlanRunner}
 * carries the plan out with {@link BundleStore}, {@link FeatureHealth} and {@link SideBySide}.
 */
package io.pipeops.agent.provision.features;
