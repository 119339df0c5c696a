// Names for the answers, all from the OpenAPI document.
import type { components } from './schema';

type Schemas = components['schemas'];

export type ErrorDocument = Schemas['ErrorDocument'];
export type SessionView = Schemas['SessionView'];
export type ServicePointView = Schemas['ServicePointView'];
export type ServicePointsView = Schemas['ServicePointsView'];
export type HomeView = Schemas['HomeView'];
export type IntervalsView = Schemas['IntervalsView'];
export type BillsView = Schemas['BillsView'];
export type BillView = Schemas['BillView'];
export type MeterRadioView = Schemas['MeterRadioView'];
export type CollectorsView = Schemas['CollectorsView'];
export type CollectorView = Schemas['CollectorView'];
export type CollectorState = Schemas['CollectorState'];
export type TwoPersonOrderView = Schemas['TwoPersonOrderView'];
export type TwoPersonOrderState = Schemas['TwoPersonOrderState'];
export type GatewayView = Schemas['GatewayView'];
export type KeysView = Schemas['KeysView'];
export type KeyLevel = Schemas['KeyLevel'];
export type WhoLookedView = Schemas['WhoLookedView'];
export type NowView = Schemas['NowView'];
export type DeadLettersView = Schemas['DeadLettersView'];
export type UnassignedView = Schemas['UnassignedView'];
export type MeterView = Schemas['MeterView'];
export type ServicePointHitsView = Schemas['ServicePointHitsView'];
export type AttachedView = Schemas['AttachedView'];
export type Quality = Schemas['Quality'];
export type Resolution = Schemas['Resolution'];
export type ServiceLevelsView = Schemas['ServiceLevelsView'];
export type CellLevelView = Schemas['CellLevelView'];
export type MissingReadsView = Schemas['MissingReadsView'];
export type MeterReadView = Schemas['MeterReadView'];
export type ReadKind = Schemas['ReadKind'];
