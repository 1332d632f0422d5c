"""How much load an audience is: the calls that the settings make of it, times what each was measured to cost."""

from eventlive_db.capacity.costs import CallCost, Costs, shipped_costs
from eventlive_db.capacity.estimate import Audience, Estimate, Line, estimate, estimate_incumbent

__all__ = ["Audience", "CallCost", "Costs", "Estimate", "Line", "estimate", "estimate_incumbent", "shipped_costs"]
