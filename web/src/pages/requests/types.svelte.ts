import { api, ask, type Schemas } from "../../app/client";

/** Kinds of leave by id, fetched once for all views that name them. */
class LeaveTypes {
  rows = $state.raw<Schemas["LeaveTypeView"][]>([]);
  byId = $derived(new Map(this.rows.map((row) => [row.id, row])));

  async load(): Promise<void> {
    this.rows = (await ask(api.GET("/api/leave-types"))).rows;
  }
}

export const leaveTypes = new LeaveTypes();
